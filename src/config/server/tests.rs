//! The keys about a server, and what they are told by.

use super::*;
use crate::config::{self, Config, Environment, Problems};
use std::path::Path;

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn read(lines: &str) -> Result<Config, Problems> {
    let variables = [
        ("KEY", KEY),
        ("PASSWORD", "hunter2"),
        ("URL", "postgres://u:hunter2@db/d"),
        ("NO_URL", "hunter2"),
    ];
    let environment = Environment::given(Path::new("/etc/gateway"), &variables);
    config::parse(&format!("[store]\n{lines}"), "f", &environment)
}

fn server(lines: &str) -> Server {
    let config = read(&format!("key = \"env:KEY\"\n{lines}"));
    *config.expect("right").store.server.expect("a server")
}

#[test]
fn without_a_url_there_is_no_server_and_its_defaults_are_those_of_the_file() {
    assert!(read("").expect("right").store.server.is_none());
    let written = server("url = \"postgres://u@localhost/d\"");
    assert_eq!(written, "postgres://u@localhost/d".parse().expect("a URL"));
}

#[test]
fn a_password_comes_from_elsewhere_only() {
    let password = Some(Secret::new(b"hunter2".to_vec()));
    for lines in
        ["url = \"env:URL\"", "url = \"postgres://u@localhost/d\"\npassword = \"env:PASSWORD\""]
    {
        assert_eq!(server(lines).password, password, "{lines}");
    }
}

#[test]
fn files_of_tls_stand_where_the_configuration_does() {
    let server = server("url = \"postgres://u@db/d?sslmode=verify-full&sslrootcert=tls/ca.pem\"");
    assert_eq!(server.tls.root, Some(PathBuf::from("/etc/gateway/tls/ca.pem")));
}

#[test]
fn every_mistake_is_told_with_its_place_and_without_the_password() {
    let url = "key = \"env:KEY\"\nurl = \"postgres://u@localhost/d\"";
    for (lines, expected) in [
        ("url = \"postgres://u@localhost/d\"".to_owned(), "2: store.url: `key` is missing"),
        (
            "key = \"env:KEY\"\nurl = \"postgres://u:hunter2@db/d\"".to_owned(),
            "3: store.url: holds a password, and a secret itself never stands in this file",
        ),
        ("key = \"env:KEY\"\nurl = \"env:NO_URL\"".to_owned(), "3: store.url: does not begin with"),
        ("key = \"env:KEY\"\nurl = \"env:NONE\"".to_owned(), "3: store.url: the environment"),
        (
            "key = \"env:KEY\"\nurl = \"env:URL\"\npassword = \"env:PASSWORD\"".to_owned(),
            "4: store.password: the URL holds a password too",
        ),
        (format!("{url}\npassword = \"hunter2\""), "4: store.password: is not a reference"),
        (format!("{url}\nnode = \"a b\""), "4: store.node: \"a b\" is no name of a node"),
        (format!("{url}\nreaders = 0"), "4: store.readers: 0 is out of bounds"),
        (format!("{url}\nconnect_timeout = \"1ms\""), "4: store.connect_timeout: \"1ms\" is out"),
        (format!("{url}\nstatement_timeout = \"1h\""), "4: store.statement_timeout: \"1h\" is out"),
        (format!("{url}\nowner_lease = \"1s\""), "4: store.owner_lease: \"1s\" is out of bounds"),
        (
            format!("{url}\nlock_timeout = \"11s\""),
            "4: store.lock_timeout: a statement that waits for a lock would end before",
        ),
        (
            format!("{url}\nidle_in_transaction_timeout = \"6s\""),
            "4: store.idle_in_transaction_timeout: a node that stops in the middle would hold up",
        ),
    ] {
        let problems = read(&lines).expect_err("wrong").to_string();
        assert!(problems.contains(&format!("f:{expected}")), "{lines}\n{problems}");
        assert!(!problems.contains("hunter2"), "{problems}");
    }
}

#[test]
fn a_way_to_another_machine_that_may_be_open_is_a_warning_unless_it_is_meant() {
    for (url, expected) in [
        ("u@db/d", Some("without `sslmode` the way to db:5432 may be unencrypted")),
        ("u@localhost,db/d?sslmode=prefer", Some("without `sslmode` the way to db:5432")),
        ("u@db/d?sslmode=verify-ca", Some("takes the certificate of any host")),
        ("u@db/d?sslmode=disable", None),
        ("u@db/d?sslmode=verify-full", None),
        ("u@localhost,127.0.0.1,%2Frun%2Fpg/d", None),
    ] {
        let lines = format!("key = \"env:KEY\"\nurl = \"postgres://{url}\"");
        let warnings = read(&lines).expect("right").warnings.to_string();
        match expected {
            Some(expected) => assert!(warnings.contains(expected), "{url}: {warnings}"),
            None => assert_eq!(warnings, "", "{url}"),
        }
    }
}
