//! The network: frames in, frames out, and the stack between them and the sockets.

pub mod device;

pub use device::NetDevice;
