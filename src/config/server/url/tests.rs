//! URLs of databases: what is read of them, what is wrong with them, what is shown of them.

use super::*;
use proptest::prelude::*;

fn read(url: &str) -> Server {
    url.parse().unwrap_or_else(|fault| panic!("{url}: {fault}"))
}

fn hosts(url: &str) -> Vec<String> {
    read(url).hosts.iter().map(ToString::to_string).collect()
}

#[test]
fn a_url_names_hosts_role_database_and_tls() {
    let server = read(
        "postgresql://bridge:pa%3Ass%40@db1:6432,db2/ratings?target_session_attrs=primary\
         &sslmode=verify-full&sslrootcert=/etc/ca.pem&application_name=a%20b\
         &options=-c%20search_path%3Dbridge%20-cwork_mem=8MB",
    );
    assert_eq!(server.hosts.iter().map(|it| it.port).collect::<Vec<_>>(), [6432, 5432]);
    assert_eq!((server.user.as_str(), server.database.as_str()), ("bridge", "ratings"));
    assert_eq!(server.password, Some(Secret::new(b"pa:ss@".to_vec())));
    assert_eq!(server.session, Session::Primary);
    assert_eq!(server.tls.mode, TlsMode::VerifyFull);
    assert_eq!(server.tls.root, Some("/etc/ca.pem".into()));
    assert_eq!(server.application_name.as_deref(), Some("a b"));
    let option = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(server.options, [option("search_path", "bridge"), option("work_mem", "8MB")]);
}

#[test]
fn hosts_are_names_addresses_and_sockets() {
    assert_eq!(hosts("postgres://u@a,b:1,c:/d"), ["a:5432", "b:1", "c:5432"]);
    assert_eq!(hosts("postgres://u@[::1],[fe80::1]:9/d"), ["[::1]:5432", "[fe80::1]:9"]);
    assert_eq!(hosts("postgres://u@%2Frun%2Fpg/d"), ["/run/pg:5432"]);
    assert_eq!(hosts("postgres://u@/d?host=/run/pg,b&port=1,2"), ["/run/pg:1", "b:2"]);
    assert_eq!(hosts("postgres://u@a,b:7/d?port=6"), ["a:6", "b:7"]);
    let local = |url| read(url).hosts.iter().all(Host::is_local);
    assert!(local("postgres://u@localhost,127.0.0.2,[::1],%2Frun%2Fpg/d"));
    assert!(!local("postgres://u@10.0.0.1/d"));
}

#[test]
fn every_mistake_says_what_would_be_right() {
    for (url, expected) in [
        ("mysql://u@a/d", "does not begin with postgres://"),
        ("postgres://a/d", "names no user"),
        ("postgres://u@a", "names no database"),
        ("postgres://u@a/", "names no database"),
        ("postgres://u@/d", "names a host that is empty"),
        ("postgres://u@a,,b/d", "names a host that is empty"),
        ("postgres://u@a:0/d", "a port is no number from 1 to 65535"),
        ("postgres://u@a:65536/d", "a port is no number"),
        ("postgres://u@::1/d", "a port is no number"),
        ("postgres://u@[::1]x/d", "a port is no number"),
        ("postgres://u@a/d?host=b", "names its hosts twice"),
        ("postgres://u@a,b/d?port=1,2,3", "names 3 ports and 2 hosts"),
        ("postgres://u@a/d?sslmod=require", "known are `application_name`, `host`, `options`"),
        ("postgres://u@a/d?sslmode=allow", "write one of `disable`, `prefer`, `require`"),
        ("postgres://u@a/d?target_session_attrs=standby", "write one of `read-write`, `primary`"),
        ("postgres://u@a/d?sslmode=", "`sslmode` is empty"),
        ("postgres://u@a/d?sslmode=require&sslmode=disable", "`sslmode` stands twice"),
        ("postgres://u@a/d?sslcert=a", "`sslcert` and `sslkey` go together"),
        ("postgres://u@a/d?password=hunter2", "has `password` among its parameters"),
        ("postgres://u@a/d?connect_timeout=3", "a key beside `url`"),
        ("postgres://u@a/d?options=search_path", "`options` is no list of settings"),
        ("postgres://u@a/d?options=-c%20x%3By=1", "`options` is no list of settings"),
        ("postgres://u%00@a/d", "the user holds a control character"),
        ("postgres://u%zz@a/d", "an escape that is none"),
        ("postgres://u@a/d%F", "an escape that is none"),
    ] {
        let fault = url.parse::<Server>().expect_err(url).to_string();
        assert!(fault.contains(expected), "{url}: {fault}");
    }
    let many = vec!["a"; 17].join(",");
    let fault = format!("postgres://u@{many}/d").parse::<Server>().expect_err("many").to_string();
    assert_eq!(fault, "names 17 hosts; name 16 at most");
}

#[test]
fn a_password_that_is_not_escaped_is_not_repeated() {
    for url in [
        "postgres://u:hunter/2hunter@a/d",
        "postgres://u:hunter?2hunter@a/d",
        "postgres://u:hunter?hunter=hunter@a/d",
        "postgres://u:hunter%@a/d",
        "postgres://u:hunter@a:hunter/d",
    ] {
        let fault = url.parse::<Server>().expect_err(url);
        assert!(!fault.to_string().contains("hunter"), "{url}: {fault}");
    }
    let server = read("postgres://u:hunter2@a/d");
    assert!(!format!("{server} {server:?}").contains("hunter2"));
}

/// Parts that make sense together more often than not.
fn url() -> impl Strategy<Value = String> {
    let part = "[a-zA-Z0-9.%,:\\[\\]/@ é-]{0,12}";
    let pair =
        ("(sslmode|host|port|options|sslrootcert|target_session_attrs|x)", "[a-z0-9%,/ =-]{0,14}");
    let query = prop::collection::vec(pair, 0..4);
    (part, part, part, query).prop_map(|(user, host, database, query)| {
        let query: Vec<_> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("postgres://{user}@{host}/{database}?{}", query.join("&"))
    })
}

/// A server of any names.
fn server() -> impl Strategy<Value = Server> {
    let name = "[^\\x00-\\x1f\\x7f-\\u{9f}]{1,12}";
    let host = (name, 1..=u16::MAX).prop_map(|(name, port)| Host { name, port });
    let tls = (0..MODES.len(), prop::option::of("/[^\\x00-\\x1f\\x7f-\\u{9f}]{1,9}"));
    let option = ("[a-z_.]{1,9}", "[!-~é]{0,9}");
    (
        (prop::collection::vec(host, 1..5), name, name, prop::option::of(name)),
        (tls, 0..SESSIONS.len(), prop::option::of(name)),
        prop::collection::vec(option, 0..3),
    )
        .prop_map(|((hosts, user, database, password), (tls, session, name), options)| {
            Server {
                hosts,
                user,
                database,
                password: password.map(|it| Secret::new(it.into_bytes())),
                tls: Tls { mode: MODES[tls.0].1, root: tls.1.map(PathBuf::from), ..Tls::default() },
                session: SESSIONS[session].1,
                application_name: name,
                options,
                ..Server::default()
            }
        })
}

fn masked(server: Server) -> Server {
    let password = server.password.as_ref().map(|_| Secret::new(MASK.into()));
    Server { password, ..server }
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in ".{0,60}", url in url()) {
        std::hint::black_box((text.parse::<Server>().is_ok(), url.parse::<Server>().is_ok()));
    }

    #[test]
    fn what_is_read_is_shown_so_that_it_reads_the_same(url in url()) {
        if let Ok(server) = url.parse::<Server>() {
            let shown = server.to_string();
            prop_assert_eq!(shown.parse::<Server>(), Ok(masked(server)), "{}", shown);
        }
    }

    #[test]
    fn every_server_is_shown_so_that_it_reads_the_same(server in server()) {
        let shown = server.to_string();
        prop_assert_eq!(shown.parse::<Server>(), Ok(masked(server)), "{}", shown);
    }
}
