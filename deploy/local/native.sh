# shellcheck shell=bash
# The stack as our own processes: for machines without containers, and for tests that kill servers at will.
# Per service, in `servers.sh`: `SERVICE_package`, `SERVICE_is_installed`, `SERVICE_ports`, `SERVICE_prepare` (folders
# and files), `SERVICE_launch`, `SERVICE_answers`.

# shellcheck source=deploy/local/servers.sh
source "$here/servers.sh"

# Bounds, not expectations: a busy two-core machine needs a tenth of them.
readonly start_seconds_max=90
readonly stop_seconds_max=30

native_up() {
    local services service
    read -ra services <<<"${BELLHOP_STACK_SERVICES//,/ }"
    for service in "${services[@]}"; do require_service "$service"; done
    native_install "${services[@]}"
    [[ -z $BELLHOP_STACK_OWNER ]] || running_pid guard >/dev/null ||
        launch guard "$here/stack" guard "$BELLHOP_STACK_OWNER"
    at_once native_start "${services[@]}"
}

native_install() {
    local service packages=()
    # How `tree_of` finds a server's helpers; slim images come without it.
    command -v ps >/dev/null || packages+=(procps)
    for service in "$@"; do "${service}_is_installed" || packages+=("$("${service}_package")"); done
    ((${#packages[@]} == 0)) || "$here/install" "${packages[@]}"
}

native_down() {
    at_once native_stop "${all_services[@]}"
    kill_tree epmd
    # The guard calls this itself when the owner is gone, and must live to see the end of it.
    [[ "$(running_pid guard)" == "$$" ]] || kill_tree guard
}

native_destroy() {
    local pid
    # Killed, PostgreSQL would leave shared memory behind that outlives its folder; SIGQUIT is "at once, but clear up".
    if pid=$(running_pid postgres) && kill -QUIT "$pid"; then await_end "$pid" 5 || true; fi
    at_once native_kill "${all_services[@]}"
    native_down
    # `postgres` may be a link to a folder outside, see `postgres_folder`.
    [[ ! -L $BELLHOP_STACK_DIR/postgres ]] || rm -rf -- "$(readlink -f "$BELLHOP_STACK_DIR/postgres")"
}

native_start() {
    local service=$1
    if running_pid "$service" >/dev/null; then
        "${service}_answers" || die "$service runs (pid $(running_pid "$service")) but does not answer on port" \
            "$("${service}_ports" | head -n 1). If it was started on other ports or is paused: make down, then make up."
        return
    fi
    refuse_taken_ports "$service"
    "${service}_prepare"
    "${service}_launch"
    await_answer "$service"
}

native_stop() {
    local service=$1 pid
    pid=$(running_pid "$service") || return 0
    # SIGINT is PostgreSQL's fast shutdown; its SIGTERM waits for every client to leave.
    if [[ $service == postgres ]]; then kill -INT "$pid"; else kill -TERM "$pid"; fi
    await_end "$pid" "$stop_seconds_max" || {
        say "$service did not stop within $stop_seconds_max s; killing it"
        kill_tree "$service"
    }
}

native_restart() {
    native_stop "$1"
    native_start "$1"
}

native_kill() { kill_tree "$1"; }
native_pause() { signal_tree STOP "$1"; }
native_resume() { signal_tree CONT "$1"; }

native_status() {
    local service pid state failed=0
    for service in "${all_services[@]}"; do
        pid=$(running_pid "$service") || pid=-
        if [[ $pid == - ]]; then state=stopped; elif "${service}_answers"; then state=answers; else state=silent; fi
        [[ $state == answers ]] || failed=1
        printf '%-9s %-8s pid %-8s %s\n' "$service" "$state" "$pid" \
            "$("${service}_ports" | awk '{ print $2 "=" $1 }' | xargs)"
    done
    echo "data and logs: $BELLHOP_STACK_DIR"
    return "$failed"
}

native_logs() { tail -n 50 -- "$BELLHOP_STACK_DIR"/log/*.log; }
native_ctl() { rabbitmq_run rabbitmqctl "$@"; }

# Destroys the stack once its owner is gone: a test program that is killed cannot clean up after itself.
guard() {
    local owner=$1 started
    started=$(identity "$owner") || true
    while [[ -n $started && "$(identity "$owner")" == "$started" ]]; do sleep 1; done
    exec "$here/stack" destroy
}

# Runs a function for every service side by side, and fails if one of them did.
at_once() {
    local function=$1 service pids=() pid failed=0
    shift
    for service in "$@"; do
        "$function" "$service" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
    return "$failed"
}

# Starts a server in a session of its own, so that neither Ctrl-C nor a closed terminal reaches it. It inherits no
# open file: a caller who reads our output through a pipe would otherwise wait for the end of the server.
launch() {
    local name=$1 descriptor
    shift
    (
        cd /
        for descriptor in /proc/self/fd/*; do
            descriptor=${descriptor##*/}
            ((descriptor <= 2)) || exec {descriptor}>&-
        done
        exec setsid "$@"
    ) </dev/null >>"$BELLHOP_STACK_DIR/log/$name.log" 2>&1 &
    echo "$! $(identity "$!")" >"$BELLHOP_STACK_DIR/run/$name.pid"
}

running_pid() {
    local pid started
    read -r pid started 2>/dev/null <"$BELLHOP_STACK_DIR/run/$1.pid" || return 1
    [[ -n $started && "$(identity "$pid")" == "$started" ]] && echo "$pid"
}

# Prints when a process started, which tells it from a later one with the same pid. Fails when it is gone, or a
# zombie that nobody has collected, as happens in containers without an init.
identity() {
    local line fields
    read -r line 2>/dev/null <"/proc/$1/stat" || return 1
    read -ra fields <<<"${line##*) }"
    [[ ${fields[0]} != Z ]] && echo "${fields[19]}"
}

await_answer() {
    local service=$1 deadline=$((SECONDS + start_seconds_max))
    until "${service}_answers"; do
        running_pid "$service" >/dev/null || die_with_log "$service" "stopped while it was starting"
        ((SECONDS < deadline)) || die_with_log "$service" "did not answer within $start_seconds_max s"
        sleep 0.05
    done
}

await_end() {
    local pid=$1 deadline=$((SECONDS + $2))
    while identity "$pid" >/dev/null; do
        ((SECONDS < deadline)) || return 1
        sleep 0.02
    done
}

die_with_log() {
    local log=$BELLHOP_STACK_DIR/log/$1.log
    say "$1 $2. The end of its log, $log:"
    tail -n 25 -- "$log" | sed 's/^/    /' >&2
    kill_tree "$1"
    die "$1 is not up. Mend what the log says and run this again; when its data is beyond repair and may go:" \
        "deploy/local/stack destroy"
}

# The servers' helpers leave the process group (PostgreSQL's backends, Erlang's port programs), so the tree is walked.
tree_of() {
    local child
    echo "$1"
    for child in $(ps -o pid= --ppid "$1"); do tree_of "$child"; done
}

signal_tree() {
    local pid
    pid=$(running_pid "$2") || die "$2 does not run"
    # shellcheck disable=SC2046 # One word per pid is what is wanted; one may have ended meanwhile.
    kill -"$1" $(tree_of "$pid") 2>/dev/null || true
}

kill_tree() {
    local pid pids
    pid=$(running_pid "$1") || return 0
    pids=$(tree_of "$pid")
    # shellcheck disable=SC2086 # As above.
    kill -KILL $pids 2>/dev/null || true
    for pid in $pids; do await_end "$pid" "$stop_seconds_max" || die "pid $pid of $1 survives SIGKILL"; done
}

refuse_taken_ports() {
    local port purpose variable holder
    while read -r port purpose; do
        [[ $purpose != epmd ]] || ! running_pid epmd >/dev/null || continue
        port_stays_open "$port" || continue
        variable=BELLHOP_STACK_$(tr '[:lower:]' '[:upper:]' <<<"$purpose")_PORT
        holder=$(ss -Hltnp "sport = :$port" 2>/dev/null | grep -o '"[^"]*",pid=[0-9]*' | head -n 1) || true
        die "port $port, which $1 needs, is already taken by ${holder:-a process of another user}." \
            "Stop that, or choose another port: $variable=$((port + 100)) make up"
    done < <("${1}_ports")
}

# A server that was killed a moment ago may leave its port open for another.
port_stays_open() {
    local _
    for _ in {1..20}; do
        port_is_open "$1" || return 1
        sleep 0.1
    done
}

port_is_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
