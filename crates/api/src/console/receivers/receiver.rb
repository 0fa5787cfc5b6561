# Receives webhooks and verifies who signed them, with Ruby 2.7 or newer and nothing else.
#
#   WEBHOOK_SECRET=whsec_… PORT=8000 ruby receiver.rb

require "openssl"
require "socket"

TOLERANCE_SECONDS = 5 * 60
BODY_BYTES_MAX = 1024 * 1024

# Whether exactly these bytes were signed with the secret, and lately.
def genuine?(secret, headers, body)
  id, timestamp, signatures = headers.values_at("webhook-id", "webhook-timestamp", "webhook-signature")
  return false unless id && signatures && timestamp&.match?(/\A[0-9]{1,12}\z/)
  return false if TOLERANCE_SECONDS < (Time.now.to_i - timestamp.to_i).abs

  key = secret.delete_prefix("whsec_").unpack1("m0")
  mac = OpenSSL::HMAC.digest("SHA256", key, "#{id}.#{timestamp}.".b + body)
  expected = "v1,#{[mac].pack("m0")}"
  # There are several, separated by spaces, while a secret is rotated.
  signatures.split(" ").any? { |signature| OpenSSL.secure_compare(expected, signature) }
end

# A server of a few lines stands for yours. In Rails it is `request.raw_post`, in Rack `request.body.read`.
def read_request(client)
  client.gets
  headers = {}
  while (line = client.gets("\r\n", chomp: true)) && !line.empty?
    name, value = line.split(":", 2)
    headers[name.downcase] = value.to_s.strip
  end
  # The bytes as they came: JSON that was parsed and written again has another signature.
  length = [headers["content-length"].to_i, BODY_BYTES_MAX].min
  [headers, client.read(length).to_s]
end

def answer(client)
  headers, body = read_request(client)
  genuine = genuine?(ENV.fetch("WEBHOOK_SECRET"), headers, body)
  # Keep it, answer, and work later. The same id may come again: drop repeats by it.
  puts "verified #{headers["webhook-id"]}" if genuine
  client.print "HTTP/1.1 #{genuine ? "204 No Content" : "401 Unauthorized"}\r\nConnection: close\r\n\r\n"
ensure
  client.close
end

$stdout.sync = true
server = TCPServer.new("127.0.0.1", ENV.fetch("PORT", "8000"))
puts "listening on http://127.0.0.1:#{server.addr[1]}"
loop { Thread.new(server.accept) { |client| answer(client) } }
