// Receives webhooks and verifies who signed them, with Java 17 or newer and nothing else.
//
//   WEBHOOK_SECRET=whsec_… PORT=8000 java Receiver.java

import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.Base64;
import java.util.concurrent.Executors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public final class Receiver {
    private static final long TOLERANCE_SECONDS = 5 * 60;
    private static final int BODY_BYTES_MAX = 1024 * 1024;

    /** Whether exactly these bytes were signed with the secret, and lately. */
    static boolean isGenuine(String secret, Headers headers, byte[] body) throws GeneralSecurityException {
        String id = headers.getFirst("webhook-id");
        String timestamp = headers.getFirst("webhook-timestamp");
        String signatures = headers.getFirst("webhook-signature");
        if (id == null || signatures == null || timestamp == null || !timestamp.matches("[0-9]{1,12}")) {
            return false;
        }
        if (TOLERANCE_SECONDS < Math.abs(Instant.now().getEpochSecond() - Long.parseLong(timestamp))) {
            return false;
        }
        byte[] key = Base64.getDecoder().decode(secret.replaceFirst("^whsec_", ""));
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        mac.update((id + "." + timestamp + ".").getBytes(UTF_8));
        String expected = "v1," + Base64.getEncoder().encodeToString(mac.doFinal(body));
        // There are several, separated by spaces, while a secret is rotated.
        for (String signature : signatures.split(" ")) {
            if (MessageDigest.isEqual(expected.getBytes(UTF_8), signature.getBytes(UTF_8))) {
                return true;
            }
        }
        return false;
    }

    private static void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            Headers headers = exchange.getRequestHeaders();
            // The bytes as they came: JSON that was parsed and written again has another signature.
            byte[] body = exchange.getRequestBody().readNBytes(BODY_BYTES_MAX);
            boolean genuine = isGenuine(System.getenv("WEBHOOK_SECRET"), headers, body);
            if (genuine) {
                // Keep it, answer, and work later. The same id may come again: drop repeats by it.
                System.out.println("verified " + headers.getFirst("webhook-id"));
            }
            exchange.sendResponseHeaders(genuine ? 204 : 401, -1);
        } catch (GeneralSecurityException error) {
            throw new IllegalStateException("HMAC-SHA256 is part of every Java", error);
        }
    }

    public static void main(String[] arguments) throws IOException {
        int port = Integer.parseInt(System.getenv().getOrDefault("PORT", "8000"));
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 0);
        server.setExecutor(Executors.newCachedThreadPool());
        server.createContext("/", Receiver::answer);
        server.start();
        System.out.println("listening on http://127.0.0.1:" + server.getAddress().getPort());
    }
}
