//! What every process needs: configuration, logs, metrics registry, health endpoints, signals, drain.
