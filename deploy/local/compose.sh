# shellcheck shell=bash
# The stack in containers, where Docker or Podman answers. `../compose.yaml` says what; the ports and credentials
# reach it as the variables of `settings`.

# Prints the words of the Compose command that has an engine behind it; a client without a server is none.
compose_command() {
    local program
    for program in docker podman; do
        if timeout 10 "$program" compose version >/dev/null 2>&1 && timeout 10 "$program" info >/dev/null 2>&1; then
            echo "$program compose" && return
        fi
    done
    return 1
}

compose_answers() { compose_command >/dev/null; }

# The project is named after the folder, so that two clones have two stacks. The profile is for `down`, which would leave
# Grafana behind; `up` names what it starts.
compose() {
    local words
    read -ra words <<<"$(compose_command)" || die "no Docker or Podman answers; BELLHOP_STACK_ENGINE=native needs none"
    "${words[@]}" --project-name "bellhop-$(cksum <<<"$BELLHOP_STACK_DIR" | cut -d ' ' -f 1)" \
        --file "$repository/deploy/compose.yaml" --profile observe "$@"
}

compose_up() {
    local services service
    read -ra services <<<"${BELLHOP_STACK_SERVICES//,/ }"
    for service in "${services[@]}"; do require_service "$service"; done
    compose up --detach --wait --wait-timeout 180 "${services[@]}" ||
        die "the containers did not come up; deploy/local/stack logs shows why. A port that is taken is changed with" \
            "BELLHOP_STACK_<AMQP|MANAGEMENT|PROMETHEUS|REDIS|POSTGRES>_PORT, and BELLHOP_STACK_ENGINE=native" \
            "does without containers"
}

compose_down() { compose down --timeout 30; }
compose_destroy() { compose down --timeout 5 --volumes; }
compose_start() { compose up --detach --wait "$1"; }
compose_stop() { compose stop --timeout 30 "$1"; }
compose_restart() { compose restart --timeout 30 "$1"; }
compose_kill() { compose kill --signal SIGKILL "$1"; }
compose_pause() { compose pause "$1"; }
compose_resume() { compose unpause "$1"; }
compose_ctl() { compose exec rabbitmq rabbitmqctl "$@"; }
compose_logs() { compose logs --tail 50 "$@"; }

compose_status() {
    compose ps
    (($(compose ps --services --status running "${all_services[@]}" | wc -l) == ${#all_services[@]}))
}
