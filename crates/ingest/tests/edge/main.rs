//! The inbound edge against a real ledger, over real sockets and files.

mod admission;
mod disk;
mod limits;
mod tail;
mod webhook;
mod world;
