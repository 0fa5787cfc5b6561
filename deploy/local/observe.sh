# shellcheck shell=bash
# Prometheus beside the local stack, and Grafana where the stack is in containers. Neither is needed for anything else, so
# `up` leaves them alone; `down` stops them with the rest.

# Prometheus is a process of our own whatever the engine: the processes that it scrapes are, too, and listen on 127.0.0.1.
observe() {
    create_folder
    remember_choices
    native_install prometheus
    native_start prometheus
    say "Prometheus: http://127.0.0.1:$BELLHOP_STACK_OBSERVE_PORT (alerts: /alerts)"
    if [[ $engine == compose ]]; then
        compose up --detach --wait --wait-timeout 180 grafana ||
            die "Grafana's container did not come up; a port that is taken is changed with BELLHOP_STACK_GRAFANA_PORT"
        say "Grafana: http://127.0.0.1:$BELLHOP_STACK_GRAFANA_PORT/d/bellhop-flow"
    else
        say "Grafana runs in a container only, and this stack does without any. The dashboards are in" \
            "deploy/grafana/dashboards: import them into a Grafana of yours, with this Prometheus as a data source"
    fi
    "$here/stack" status >/dev/null 2>&1 ||
        say "RabbitMQ, Redis or PostgreSQL do not run: make up starts them, make run Bellhop's processes as well"
}

# --- Prometheus ---

prometheus_package() { echo prometheus; }
prometheus_ports() { echo "$BELLHOP_STACK_OBSERVE_PORT observe"; }
prometheus_is_installed() { command -v prometheus >/dev/null; }

# The configuration is the shipped one, with targets of this stack beside it.
prometheus_prepare() {
    local home=$BELLHOP_STACK_DIR/prometheus shipped=$repository/deploy/prometheus
    mkdir -p -- "$home/targets"
    cp -- "$shipped/prometheus.yml" "$home/prometheus.yml"
    ln -sfn -- "$shipped/rules" "$home/rules"
    targets '' worker=9464 recorder=9465 api=9466 >"$home/targets/bellhop.json"
    targets ', "__param_vhost": "bellhop"' "rabbitmq=$BELLHOP_STACK_PROMETHEUS_PORT" >"$home/targets/rabbitmq.json"
}

# Prints targets on this machine, for Prometheus' file discovery: `targets MORE_LABELS NAME=PORT...`.
targets() {
    local labels=$1 target separator=
    shift
    echo '['
    for target in "$@"; do
        printf '%s  {"targets": ["127.0.0.1:%s"], "labels": {"namespace": "local", "pod": "%s"%s}}' \
            "$separator" "${target#*=}" "${target%=*}" "$labels"
        separator=$',\n'
    done
    printf '\n]\n'
}

prometheus_launch() {
    launch prometheus prometheus "--config.file=$BELLHOP_STACK_DIR/prometheus/prometheus.yml" \
        "--storage.tsdb.path=$BELLHOP_STACK_DIR/prometheus/data" --storage.tsdb.retention.time=2d \
        "--web.listen-address=127.0.0.1:$BELLHOP_STACK_OBSERVE_PORT"
}

prometheus_answers() {
    # shellcheck disable=SC2016 # The inner shell expands it.
    timeout 5 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" && printf "GET /-/ready HTTP/1.0\r\n\r\n" >&3 &&
        head -n 1 <&3 | grep -q " 200 "' "$BELLHOP_STACK_OBSERVE_PORT" 2>/dev/null
}
