//! The store on PostgreSQL, which several nodes share.

mod ownership;
mod register;

pub(super) use ownership::is_owner;
pub(super) use register::Register;
