# shellcheck shell=bash
# How each server is found, configured, started and asked whether it is there. `native.sh` has the processes.

# --- RabbitMQ ---

rabbitmq_package() { echo rabbitmq-server; }
rabbitmq_ports() {
    printf '%s %s\n' "$BELLHOP_STACK_AMQP_PORT" amqp "$BELLHOP_STACK_MANAGEMENT_PORT" management \
        "$BELLHOP_STACK_PROMETHEUS_PORT" prometheus "$BELLHOP_STACK_DIST_PORT" dist
    [[ -n $BELLHOP_STACK_JOIN ]] || echo "$BELLHOP_STACK_EPMD_PORT epmd"
}

# Debian's /usr/sbin wrappers change to the system's user and folder, so the scripts behind them are called. Who has another
# release in /opt beside Debian's wants that one.
rabbitmq_scripts() {
    local folder
    for folder in /opt/rabbitmq/sbin /usr/lib/rabbitmq/bin; do
        [[ ! -x $folder/rabbitmq-server ]] || { echo "$folder" && return; }
    done
    return 1
}

rabbitmq_is_installed() { rabbitmq_scripts >/dev/null && command -v epmd >/dev/null; }

rabbitmq_prepare() {
    local home=$BELLHOP_STACK_DIR/rabbitmq
    mkdir -p -- "$home"
    # Erlang's shared secret: it refuses a file that others may read.
    [[ -s $home/.erlang.cookie ]] || rabbitmq_cookie >"$home/.erlang.cookie"
    chmod 400 -- "$home/.erlang.cookie"
    # The last one spreads events over several shards; with one shard nothing uses it.
    echo '[rabbitmq_management,rabbitmq_prometheus,rabbitmq_consistent_hash_exchange].' >"$home/enabled_plugins"
    rabbitmq_configuration >"$home/rabbitmq.conf"
}

rabbitmq_cookie() {
    if [[ -z $BELLHOP_STACK_JOIN ]]; then
        head -c 24 /dev/urandom | base64 | tr -dc '[:alnum:]'
    else
        cat -- "$BELLHOP_STACK_JOIN/rabbitmq/.erlang.cookie"
    fi
}

# `default_user` counts on an empty node only, and replaces `guest`: cheaper than seconds of rabbitmqctl.
rabbitmq_configuration() {
    cat <<CONF
listeners.tcp.1 = 127.0.0.1:$BELLHOP_STACK_AMQP_PORT
management.tcp.ip = 127.0.0.1
management.tcp.port = $BELLHOP_STACK_MANAGEMENT_PORT
prometheus.tcp.ip = 127.0.0.1
prometheus.tcp.port = $BELLHOP_STACK_PROMETHEUS_PORT
default_vhost = bellhop
default_user = $BELLHOP_STACK_USER
default_pass = $BELLHOP_STACK_PASSWORD
default_user_tags.administrator = true
# The default stops publishers on a laptop's disk that is merely well filled.
disk_free_limit.absolute = 50MB
CONF
    cat -- "$repository/deploy/rabbitmq/bellhop.conf"
    [[ -z $BELLHOP_STACK_JOIN ]] || cat <<CONF
# Whom an empty node joins. It must be up: of one that is still starting, 3.10 copies tables that do not fit.
cluster_formation.peer_discovery_backend = classic_config
cluster_formation.classic_config.nodes.1 = bellhop@localhost
cluster_formation.classic_config.nodes.2 = $BELLHOP_STACK_NODE@localhost
CONF
}

# Runs one of RabbitMQ's scripts for this node and no other: no RABBITMQ_* of the caller gets through.
rabbitmq_run() {
    local script=$1
    shift
    rabbitmq_environment
    "${rabbitmq_environment[@]}" "$(rabbitmq_scripts)/$script" "$@"
}

readonly retry_delay_after_loss='-rabbit dead_letter_worker_publisher_confirm_timeout 10000'

rabbitmq_environment() {
    local home=$BELLHOP_STACK_DIR/rabbitmq
    rabbitmq_environment=(env -i "PATH=$PATH" LANG=C.UTF-8 "HOME=$home"
        # A node name on localhost asks no resolver, and an epmd of our own keeps equal names apart.
        "RABBITMQ_NODENAME=$BELLHOP_STACK_NODE@localhost"
        "ERL_EPMD_PORT=$BELLHOP_STACK_EPMD_PORT" ERL_EPMD_ADDRESS=127.0.0.1
        "RABBITMQ_DIST_PORT=$BELLHOP_STACK_DIST_PORT"
        "RABBITMQ_CONF_ENV_FILE=$home/none" "RABBITMQ_CONFIG_FILE=$home/rabbitmq.conf"
        "RABBITMQ_ENABLED_PLUGINS_FILE=$home/enabled_plugins"
        "RABBITMQ_MNESIA_BASE=$home/data" "RABBITMQ_FEATURE_FLAGS_FILE=$home/feature_flags"
        "RABBITMQ_PLUGINS_EXPAND_DIR=$home/plugins" "RABBITMQ_GENERATED_CONFIG_DIR=$home/generated"
        "RABBITMQ_PID_FILE=$home/pid" "RABBITMQ_LOG_BASE=$BELLHOP_STACK_DIR/log" RABBITMQ_LOGS=-
        "ERL_CRASH_DUMP=$BELLHOP_STACK_DIR/log/rabbitmq.crash"
        # The second, as `../rabbitmq/README.md` has it: how long due retries wait after the loss of a node.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} $retry_delay_after_loss"
        # Makes the script replace itself with the Erlang VM, so that the pid we keep is the server's.
        RUNNING_UNDER_SYSTEMD=true)
}

rabbitmq_launch() {
    rabbitmq_environment
    # The node would start one too, but in a session that nobody could stop again.
    [[ -n $BELLHOP_STACK_JOIN ]] || running_pid epmd >/dev/null ||
        launch epmd epmd -address 127.0.0.1 -port "$BELLHOP_STACK_EPMD_PORT"
    launch rabbitmq "${rabbitmq_environment[@]}" "$(rabbitmq_scripts)/rabbitmq-server"
}

# The AMQP listener opens last. A frame in reply to the protocol header shows a broker, not merely an open port.
rabbitmq_answers() {
    port_is_open "$BELLHOP_STACK_AMQP_PORT" || return 1
    # shellcheck disable=SC2016 # The inner shell expands it.
    timeout 5 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" && printf "AMQP\0\0\011\001" >&3 && head -c 1 <&3 | grep -q .' \
        "$BELLHOP_STACK_AMQP_PORT" 2>/dev/null
}

# --- Redis ---

redis_package() { echo redis-server; }
redis_ports() { echo "$BELLHOP_STACK_REDIS_PORT redis"; }
redis_is_installed() { command -v redis-server >/dev/null && command -v redis-cli >/dev/null; }

redis_prepare() {
    local home=$BELLHOP_STACK_DIR/redis append_only=yes
    ((BELLHOP_STACK_DURABLE)) || append_only=no
    mkdir -p -- "$home"
    cat >"$home/redis.conf" <<CONF
bind 127.0.0.1
port $BELLHOP_STACK_REDIS_PORT
requirepass $BELLHOP_STACK_PASSWORD
dir "$home"
appendonly $append_only
save ""
# Claims keep a crash from forking a series of attempts; evicting one quietly would bring that back.
maxmemory-policy noeviction
CONF
}

redis_launch() { launch redis redis-server "$BELLHOP_STACK_DIR/redis/redis.conf"; }

redis_answers() {
    REDISCLI_AUTH=$BELLHOP_STACK_PASSWORD \
        timeout 5 redis-cli -h 127.0.0.1 -p "$BELLHOP_STACK_REDIS_PORT" ping 2>/dev/null | grep -q PONG
}

# --- PostgreSQL ---

postgres_package() { echo postgresql; }
postgres_ports() { echo "$BELLHOP_STACK_POSTGRES_PORT postgres"; }

# Debian keeps the servers off the PATH, one folder per version. Elsewhere the PATH may show a link to one of them.
postgres_programs() {
    local initdb
    initdb=$(printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort -V | tail -n 1)
    [[ -x $initdb ]] || initdb=$(readlink -f "$(command -v initdb)") || return 1
    dirname -- "$initdb"
}

postgres_is_installed() { postgres_programs >/dev/null; }

# PostgreSQL refuses to run as root; the package's own user lends its name, and nothing else of the system's server.
if ((EUID == 0)); then
    readonly as_postgres=(setpriv --reuid=postgres --regid=postgres --init-groups --)
else
    readonly as_postgres=(env --)
fi

# Prints the folder of the data. Where that user cannot reach the stack's folder (a clone below /root), the data lies
# in /var/tmp and a link in the stack's folder says where.
postgres_folder() {
    local link=$BELLHOP_STACK_DIR/postgres folder
    if [[ ! -e $link ]]; then
        if "${as_postgres[@]}" test -x "$BELLHOP_STACK_DIR"; then
            mkdir -- "$link"
        else
            folder=$(mktemp -d /var/tmp/bellhop-postgres.XXXXXX)
            ln -sfn -- "$folder" "$link"
        fi
        ((EUID != 0)) || chown postgres: "$link/"
    fi
    readlink -f "$link"
}

# Initialised aside and moved into place when complete, so that an interrupted first start leaves no half of it.
postgres_prepare() {
    local folder
    ((EUID != 0)) || id postgres >/dev/null 2>&1 ||
        die "PostgreSQL cannot run as root, and there is no user \`postgres\` to run it as; run this as another user"
    folder=$(postgres_folder)
    if [[ -d $folder/data ]]; then
        release_stale_lock "$folder/data/postmaster.pid"
        return
    fi
    rm -rf -- "$folder/new"
    postgres_initialise "$folder/new" >"$BELLHOP_STACK_DIR/log/postgres.log" 2>&1 ||
        die_with_log postgres "could not be initialised"
    mv -- "$folder/new" "$folder/data"
}

# PostgreSQL takes a killed server for alive until somebody collects it, which in a container without an init is never.
release_stale_lock() {
    local pid
    read -r pid 2>/dev/null <"$1" || return 0
    identity "$pid" >/dev/null || rm -f -- "$1"
}

# `&&` between the steps, because the caller asks whether it worked, and that turns `set -e` off.
postgres_initialise() {
    local data=$1 programs
    programs=$(postgres_programs) && cd / &&
        "${as_postgres[@]}" "$programs/initdb" --pgdata="$data" --username="$BELLHOP_STACK_USER" --auth=trust \
            --encoding=UTF8 --locale=C --no-sync &&
        "${as_postgres[@]}" "$programs/postgres" --single -j -D "$data" postgres <<SQL &&
ALTER ROLE $BELLHOP_STACK_USER PASSWORD '$BELLHOP_STACK_PASSWORD';

CREATE DATABASE bellhop;

SQL
        echo "host all all 127.0.0.1/32 scram-sha-256" >"$data/pg_hba.conf"
}

# No socket file: its path would be bounded by 107 bytes, and TCP is what Bellhop speaks.
postgres_launch() {
    local options=(-c "port=$BELLHOP_STACK_POSTGRES_PORT" -c listen_addresses=127.0.0.1 -c unix_socket_directories=
        -c max_connections=200)
    ((BELLHOP_STACK_DURABLE)) || options+=(-c fsync=off -c synchronous_commit=off -c full_page_writes=off)
    launch postgres "${as_postgres[@]}" "$(postgres_programs)/postgres" -D "$(postgres_folder)/data" "${options[@]}"
}

postgres_answers() {
    timeout 5 "$(postgres_programs)/pg_isready" --quiet --host=127.0.0.1 --port="$BELLHOP_STACK_POSTGRES_PORT"
}
