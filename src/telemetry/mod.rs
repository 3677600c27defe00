//! What the gateway tells about itself.

pub mod egress;
