//! Harness of throwaway real servers.
