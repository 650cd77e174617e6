//! The KubeWitness binary: commands, configuration, wiring, lifecycle.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {}
