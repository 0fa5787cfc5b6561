//! The sender against real endpoints on loopback, from well-behaved to hostile.

mod endpoint;

mod addresses;
mod answers;
mod excerpts;
mod faults;
mod floods;
mod heads;
mod lies;
mod pool;
mod stalls;
mod tls;
mod weak;
