//! The commands as an operator types them: help, `check`, `doctor`, `reply`, and what they say
//! when something is wrong.

use crate::support::{Done, Gateway, Platform, Site, shipped};

/// Runs a command without a configuration.
async fn run(site: &Site, arguments: &[&str]) -> Done {
    Done::of(site.command(arguments.iter().copied())).await
}

async fn site() -> (Site, Platform) {
    let platform = Platform::start().await;
    (Site::new(&platform, ""), platform)
}

#[tokio::test]
async fn every_command_explains_itself() {
    let (site, _platform) = site().await;
    let mut waiting = vec![Vec::new()];
    let mut explained = 0;
    while let Some(command) = waiting.pop() {
        let arguments: Vec<&str> = command.iter().map(String::as_str).chain(["--help"]).collect();
        let help = run(&site, &arguments).await;
        assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(help.stdout.contains("Usage: bridge8890"), "{}", help.stdout);
        explained += 1;
        let listed = help.stdout.lines().skip_while(|line| *line != "Commands:").skip(1);
        let names = listed.take_while(|line| !line.is_empty());
        for name in names.filter_map(|line| line.strip_prefix("  ")?.split(' ').next()) {
            if !name.is_empty() && name != "help" {
                waiting.push([command.as_slice(), &[name.to_owned()]].concat());
            }
        }
    }
    assert!(explained >= 14, "only {explained} commands were found");
    let version = run(&site, &["--version"]).await;
    assert_eq!(version.stdout, format!("bridge8890 {}\n", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn a_wrong_command_line_is_told_with_code_2() {
    let (site, _platform) = site().await;
    for arguments in [&["srve"][..], &["records"], &["reply"], &["dead", "replay"], &["--no"]] {
        let done = run(&site, arguments).await;
        assert_eq!((done.code, done.stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(done.stderr.contains("Usage: "), "{}", done.stderr);
    }
}

#[tokio::test]
async fn check_and_doctor_find_nothing_wrong_with_a_right_file() {
    let (site, _platform) = site().await;
    let check = site.run("check").await;
    assert_eq!(check.code, Some(0), "{check:?}");
    assert!(check.stdout.ends_with("nothing is wrong\n"), "{}", check.stdout);
    let doctor = site.run("doctor --json").await;
    assert_eq!(doctor.code, Some(0), "{doctor:?}");
    assert_eq!(doctor.json()["ok"], true);
}

#[tokio::test]
async fn check_and_doctor_name_what_is_wrong_at_its_line_and_serve_does_not_start() {
    let (site, _platform) = site().await;
    site.write(
        "gateway.toml",
        "[http]\nlisten = [\"nowhere\"]\nlisen = 1\n\n[destination]\nmax_batch = 0\n",
    );
    let check = site.run("check").await;
    assert_eq!((check.code, check.stderr.as_str()), (Some(1), ""));
    for part in ["gateway.toml:2: http.listen", "gateway.toml:3: http.lisen", "gateway.toml:6: "] {
        assert!(check.stdout.contains(part), "{part:?} is not in\n{}", check.stdout);
    }
    let doctor = site.run("doctor").await;
    assert_eq!(doctor.code, Some(1));
    assert!(doctor.stdout.contains("FAIL  configuration"), "{}", doctor.stdout);
    let serve = site.run("serve").await;
    assert_eq!((serve.code, serve.stdout.as_str()), (Some(2), ""));
    assert!(serve.stderr.contains("gateway.toml:3: http.lisen"), "{}", serve.stderr);
}

#[tokio::test]
async fn the_shipped_configurations_have_nothing_wrong() {
    let (site, _platform) = site().await;
    let defaults = std::fs::read_to_string(shipped("config/gateway.toml")).expect("the defaults");
    // The keys without a default are shown as `#key = value`.
    let shown = |line: &str| {
        line.strip_prefix('#').is_some_and(|rest| {
            rest.starts_with(|first: char| first == '[' || first.is_ascii_lowercase())
        })
    };
    let all = defaults.lines().map(|line| if shown(line) { &line[1..] } else { line });
    site.write("all.toml", all.collect::<Vec<_>>().join("\n"));
    let examples = std::fs::read_dir(shipped("config/examples")).expect("examples");
    let examples = examples.map(|entry| entry.expect("an entry").path());
    let examples = examples.filter(|path| path.extension().is_some_and(|kind| kind == "toml"));
    for file in examples.chain([shipped("config/gateway.toml"), site.path("all.toml")]) {
        let mut command = site.command(["check", "--config"]);
        command.arg(&file).envs([
            ("BRIDGE8890_DATA_KEY", "00".repeat(32)),
            ("BRIDGE8890_DATABASE_PASSWORD", "x".to_owned()),
            ("BRIDGE8890_ALIYUN_SECRET", "x".to_owned()),
            ("BRIDGE8890_YUNPIAN_APIKEY", "x".to_owned()),
            ("BRIDGE8890_OWN_FORMAT_KEY", "x".to_owned()),
            ("BRIDGE8890_TWILIO_TOKEN", "x".to_owned()),
            ("BRIDGE8890_PLATFORM_SECRET", "x".to_owned()),
            ("BRIDGE8890_ALIYUN_SECRET", "x".to_owned()),
            ("BRIDGE8890_INVITATIONS_SECRET", "x".to_owned()),
        ]);
        let check = Done::of(command).await;
        assert_eq!(check.code, Some(0), "{}:\n{}", file.display(), check.stdout);
    }
}

#[tokio::test]
async fn serve_says_what_is_left_to_configure() {
    let (site, _platform) = site().await;
    let serve = run(&site, &["serve"]).await;
    assert_eq!(serve.code, Some(2));
    assert!(serve.stderr.contains("destination.url"), "{}", serve.stderr);
    assert!(serve.stderr.contains("destination: `secret`"), "{}", serve.stderr);
    assert!(!site.path("data").exists(), "nothing was begun");
}

#[tokio::test]
async fn doctor_knows_when_the_platform_is_not_there_and_when_the_key_is_wrong() {
    let platform = Platform::start().await;
    let mut gateway = Gateway::start(&platform).await;
    gateway.stop().await;
    platform.set_faults(bridge8890::standin::faults::Faults { down: true, ..Default::default() });
    // The stand-in lets go of its port a moment later.
    crate::support::until("doctor sees it", async || {
        let doctor = gateway.site.run("doctor").await;
        doctor.code == Some(1) && doctor.stdout.contains("accepts no connection")
    })
    .await;
    let key = std::fs::read_dir(gateway.site.path("data")).expect("the store");
    let key = key.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
    let key = key.into_iter().find(|name| name.ends_with(".key")).expect("the data key");
    gateway.site.write(&format!("data/{key}"), "00".repeat(32));
    for command in ["doctor", "records find", "serve"] {
        let done = gateway.site.run(command).await;
        assert_ne!(done.code, Some(0), "{command}");
        let said = done.stdout + &done.stderr;
        assert!(said.contains("the data key does not open this database"), "{command}: {said}");
    }
}

#[tokio::test]
async fn commands_without_a_store_say_so() {
    let (site, _platform) = site().await;
    for command in ["records find", "records find --quarantined", "dead list", "lane status"] {
        let done = site.run(command).await;
        assert_eq!((done.code, done.stdout.as_str()), (Some(2), ""), "{command}");
        assert!(done.stderr.contains("data"), "{command}: {}", done.stderr);
    }
    assert!(!site.path("data").exists(), "looking makes nothing");
}

#[tokio::test]
async fn reply_reads_both_files_of_answers_as_expected() {
    let (site, _platform) = site().await;
    for file in ["tests/fixtures/reply-examples.csv", "tests/fixtures/reply-more.csv"] {
        let mut command = site.command(["reply", "--csv"]);
        command.arg(shipped(file));
        let reply = Done::of(command).await;
        assert_eq!(reply.code, Some(0), "{file}: {}", reply.stdout);
    }
    let reply = run(&site, &["reply", "--scheme", "asc", "--json", "不满意"]).await;
    assert_eq!((&reply.json()["kind"], &reply.json()["level"]), (&"rated".into(), &2.into()));
}
