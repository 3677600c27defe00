//! Where a store is: a directory of this machine, or a database that nodes share.

use crate::config::{self, Server};
use std::fmt;
use std::path::PathBuf;

/// Where a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A SQLite database in this directory, of one gateway at a time.
    Directory(PathBuf),
    /// A PostgreSQL database, of any number of nodes.
    Server(Box<Server>),
}

impl Place {
    /// Where the configuration has it.
    #[must_use]
    pub fn of(settings: &config::Store) -> Place {
        match &settings.server {
            Some(server) => Place::Server(server.clone()),
            None => Place::Directory(settings.directory.clone()),
        }
    }
}

impl fmt::Display for Place {
    /// The directory, or the URL without its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Directory(directory) => write!(f, "{}", directory.display()),
            Place::Server(server) => write!(f, "{server}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_shown_without_its_password() {
        let server: Server = "postgres://b:hunter2@db1,db2/bridge".parse().expect("a URL");
        let shown = Place::Server(Box::new(server)).to_string();
        assert_eq!(shown, "postgres://b:***@db1:5432,db2:5432/bridge");
        assert_eq!(Place::Directory("data".into()).to_string(), "data");
    }
}
