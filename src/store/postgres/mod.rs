//! The store on PostgreSQL, which several nodes share.

#[expect(dead_code, reason = "the writer asks it who owns the dialogue")]
mod ownership;
#[expect(dead_code, reason = "opening the store makes it")]
mod register;

pub(super) use register::Register;
