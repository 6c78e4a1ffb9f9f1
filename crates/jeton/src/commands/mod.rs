//! The commands that end by themselves.

pub(crate) mod apikey;
pub(crate) mod config;
pub(crate) mod duration;
pub(crate) mod installation;
pub(crate) mod migrate;
pub(crate) mod openapi;
pub(crate) mod organization;
