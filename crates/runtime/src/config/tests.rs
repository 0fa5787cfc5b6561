//! Reading a configuration of one made-up fleet: the layers, the problems, the reference file.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;

const NO_VARIABLES: [(&str, &str); 0] = [];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Order {
    Oldest,
    Newest,
}

/// One value of every form.
#[derive(Debug, PartialEq)]
struct Worker {
    prefetch: u16,
    share: f64,
    verbose: bool,
    timeout: Duration,
    waits: Vec<Duration>,
    body_bytes_max: u32,
    name: String,
    zone: Option<String>,
    order: Order,
    listen: SocketAddr,
    proxy: Option<SocketAddr>,
    allowed: Vec<SocketAddr>,
}

fn key(name: &'static str) -> Key {
    Key { name, meaning: "What it means, in which unit, and what goes wrong when it is too low or too high." }
}

fn read_worker(settings: &mut Settings) -> Worker {
    let mut worker = settings.section("worker", "Takes events and sends them.");
    let second = Duration::from_secs(1);
    Worker {
        prefetch: worker.integer(key("prefetch"), 200, 1..=2000),
        share: worker.ratio(key("share"), 0.5, 0.0..=1.0),
        verbose: worker.flag(key("verbose"), false),
        timeout: worker.duration(key("timeout"), 30 * second, second..=60 * second),
        waits: worker.durations(key("waits"), &[30 * second, 600 * second], second..=3600 * second, 1..=3),
        body_bytes_max: worker.bytes(key("body_bytes_max"), 65_536, 1024..=1_048_576),
        name: worker.text(key("name"), "the \"first\""),
        zone: worker.optional_text(key("zone"), "north"),
        order: worker.choice(
            key("order"),
            Order::Oldest,
            &[("oldest", Order::Oldest), ("newest", Order::Newest)],
        ),
        listen: worker.parsed(key("listen"), "an address with a port", "0.0.0.0:80".parse().unwrap()),
        proxy: worker.optional_parsed(key("proxy"), "an address with a port", "10.0.0.1:3128"),
        allowed: worker.list(key("allowed"), "addresses with a port", &["10.0.0.1:80".parse().unwrap()]),
    }
}

fn read_url(settings: &mut Settings) -> Option<Sensitive> {
    let mut amqp = settings.section("amqp", "The broker.");
    amqp.secret(key("url"), "an AMQP URL", "amqp://bellhop:password@rabbitmq:5672/%2f")
}

/// A file that is removed with its guard.
struct Scratch(PathBuf);

impl Scratch {
    fn new(text: impl AsRef<[u8]>) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name =
            format!("bellhop-runtime-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn name(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

fn load(text: &str, environment: &[(&str, &str)]) -> Settings {
    let file = Scratch::new(text);
    Settings::load(Some(&file.0), environment.iter().copied()).unwrap()
}

/// Reads everything and gives the problems as lines.
fn problems(mut settings: Settings) -> Vec<String> {
    read_worker(&mut settings);
    read_url(&mut settings);
    match settings.finish() {
        Ok(()) => Vec::new(),
        Err(ConfigError::Invalid(problems)) => problems.iter().map(Problem::to_string).collect(),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn without_file_and_environment_defaults_hold() {
    let mut settings = Settings::load(None, NO_VARIABLES).unwrap();
    let worker = read_worker(&mut settings);
    assert_eq!(worker.prefetch, 200);
    assert_eq!(worker.waits, [Duration::from_secs(30), Duration::from_secs(600)]);
    assert_eq!((worker.zone, worker.proxy), (None, None));
    assert_eq!(read_url(&mut settings), None);
    settings.finish().unwrap();
}

#[test]
fn the_file_beats_the_default_and_the_environment_beats_the_file() {
    let text = "[worker]\nprefetch = 7\ntimeout = \"5s\"\nallowed = [\"10.0.0.2:80\", \"10.0.0.3:80\"]\n";
    let environment =
        [("BELLHOP_WORKER_PREFETCH", "8"), ("BELLHOP_WORKER_WAITS", "1s, 2s,3s"), ("PATH", "/usr/bin")];
    let mut settings = load(text, &environment);
    let worker = read_worker(&mut settings);
    settings.finish().unwrap();
    assert_eq!(worker.prefetch, 8);
    assert_eq!(worker.timeout, Duration::from_secs(5));
    assert_eq!(worker.waits, [1, 2, 3].map(Duration::from_secs));
    assert_eq!(worker.allowed.len(), 2);
    assert_eq!(worker.order, Order::Oldest);
}

#[test]
fn an_empty_variable_empties_a_list_and_nothing_else() {
    let environment = [("BELLHOP_WORKER_ALLOWED", ""), ("BELLHOP_WORKER_ZONE", "")];
    let found = problems(load("", &environment));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("`[worker] zone`"), "{found:?}");
    let mut settings = load("", &environment[..1]);
    assert!(read_worker(&mut settings).allowed.is_empty());
    settings.finish().unwrap();
}

#[test]
fn every_illegal_value_is_refused_with_what_is_allowed() {
    let cases = [
        ("PREFETCH", "0", "must be a whole number from 1 to 2000"),
        ("PREFETCH", "70000", "must be a whole number from 1 to 2000"),
        ("SHARE", "1.5", "must be a number from 0.0 to 1.0"),
        ("SHARE", "NaN", "must be a number from 0.0 to 1.0"),
        ("VERBOSE", "yes", "must be `true` or `false`"),
        ("TIMEOUT", "30", "must be a time span with its unit (ms, s, m, h, d), 1s to 1m"),
        ("TIMEOUT", "2m", "must be a time span with its unit (ms, s, m, h, d), 1s to 1m"),
        ("WAITS", "", "must be a list of 1 to 3 time spans"),
        ("WAITS", "1s,2s,3s,4s", "must be a list of 1 to 3 time spans"),
        ("WAITS", "1s,2d", "each 1s to 1h"),
        (
            "BODY_BYTES_MAX",
            "65536",
            "must be an amount of memory with its unit (B, KiB, MiB, GiB), 1KiB to 1MiB",
        ),
        ("NAME", "", "must be a text that is not empty"),
        ("ORDER", "random", "must be one of `oldest`, `newest`"),
        ("LISTEN", "localhost", "must be an address with a port: invalid socket address syntax"),
        ("PROXY", "10.0.0.1", "must be an address with a port: invalid socket address syntax"),
        ("ALLOWED", "10.0.0.1:80,", "must be a list of at most 256 addresses with a port"),
    ];
    for (name, value, allowed) in cases {
        let variable = format!("BELLHOP_WORKER_{name}");
        let found = problems(load("", &[(&variable, value)]));
        let start = format!("`[worker] {}` = `{value}` (from variable `{variable}`) ", name.to_lowercase());
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(&start) && found[0].contains(allowed), "{found:?}");
    }
}

#[test]
fn all_problems_are_found_together() {
    let file =
        Scratch::new("wroker = 1\nlogs = 2\n[worker]\nprefetch = \"8\"\nprefetsh = 9\n[amqp]\nurl = 3\n");
    let environment = [("BELLHOP_WORKER_TIMEOUT", "30"), ("BELLHOP_WORKER_TIMEUOT", "30s")];
    let mut settings = Settings::load(Some(&file.0), environment).unwrap();
    settings.section("logs", "Logs.");
    let origin = format!("in file `{}`", file.name());
    let span = "a time span with its unit (ms, s, m, h, d), 1s to 1m";
    let expected = [
        format!("`[logs]` ({origin}) must be a section"),
        format!("`[worker] prefetch` = `\"8\"` ({origin}) must be a whole number from 1 to 2000"),
        format!("`[worker] timeout` = `30` (from variable `BELLHOP_WORKER_TIMEOUT`) must be {span}"),
        format!("`[amqp] url` ({origin}) must be a text that is not empty"),
        format!("`[wroker]` ({origin}) is an unknown section; did you mean `worker`?"),
        format!("`[worker] prefetsh` ({origin}) is an unknown key; did you mean `prefetch`?"),
        "`BELLHOP_WORKER_TIMEUOT` (in the environment) is an unknown variable; \
            did you mean `BELLHOP_WORKER_TIMEOUT`?"
            .to_owned(),
    ];
    assert_eq!(problems(settings), expected);
}

#[test]
fn the_error_lists_one_problem_per_line() {
    let mut settings = load("[worker]\nprefetch = 0\nshare = 2\n", &[]);
    read_worker(&mut settings);
    let text = settings.finish().unwrap_err().to_string();
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(
        text.starts_with("accept the configuration: 2 problems\n  - `[worker] prefetch` = `0` "),
        "{text}"
    );
}

#[test]
fn checks_across_values_say_where_the_value_came_from() {
    let mut settings = load("[worker]\nprefetch = 7\n", &[]);
    let mut section = settings.section("worker", "Work.");
    section.integer::<u16>(key("prefetch"), 200, 1..=2000);
    section.integer::<u16>(key("slots"), 100, 1..=2000);
    section.problem("prefetch", "must be at least `slots`");
    settings.problem("worker", "slots", "must be at most `prefetch`");
    let text = settings.finish().unwrap_err().to_string();
    assert!(text.contains("`[worker] prefetch` = `7` (in file `"), "{text}");
    assert!(text.contains("`[worker] slots` (not set) must be at most `prefetch`"), "{text}");
}

#[test]
fn variables_that_are_no_settings_are_ignored_on_request() {
    let environment =
        [("BELLHOP_CONFIG", "a"), ("BELLHOP_STACK_PORT", "1"), ("BELLHOP_API_SERVICE_HOST", "10.0.0.7")];
    assert_eq!(problems(load("", &environment)).len(), 2);
    let mut settings = load("", &environment);
    settings.ignore(&["BELLHOP_CONFIG", "BELLHOP_STACK_*"]);
    assert_eq!(problems(settings), [""; 0]);
}

#[test]
fn a_secret_comes_from_a_value_or_from_a_file_of_its_own() {
    let secret = Scratch::new("amqp://from-file\n");
    let windows = Scratch::new("amqp://from-windows\r\n");
    let key_file = format!("[amqp]\nurl_file = \"{}\"\n", secret.name());
    let cases = [
        ("[amqp]\nurl = \"amqp://inline\"\n", vec![], "amqp://inline"),
        ("", vec![("BELLHOP_AMQP_URL", "amqp://variable")], "amqp://variable"),
        ("", vec![("BELLHOP_AMQP_URL_FILE", secret.name())], "amqp://from-file"),
        ("", vec![("BELLHOP_AMQP_URL_FILE", windows.name())], "amqp://from-windows"),
        (&key_file, vec![], "amqp://from-file"),
        (&key_file, vec![("BELLHOP_AMQP_URL", "amqp://variable")], "amqp://variable"),
    ];
    for (text, environment, expected) in cases {
        let mut settings = load(text, &environment);
        read_worker(&mut settings);
        assert_eq!(read_url(&mut settings), Some(Sensitive::new(expected)), "{text} {environment:?}");
        settings.finish().unwrap();
    }
}

#[test]
fn a_secret_is_never_shown() {
    let secret = Scratch::new("hunter2");
    let empty = Scratch::new("\n");
    let binary = Scratch::new([0xff, 0xfe]);
    let cases = [
        (
            "",
            vec![("BELLHOP_AMQP_URL", "hunter2"), ("BELLHOP_AMQP_URL_FILE", secret.name())],
            "is given twice",
        ),
        ("[amqp]\nurl = [\"hunter2\"]\n", vec![], "must be a text that is not empty"),
        ("[amqp]\nurll = \"hunter2\"\n", vec![], "did you mean `url`?"),
        ("", vec![("BELLHOP_AMQP_ULR", "hunter2")], "did you mean `BELLHOP_AMQP_URL`?"),
        ("", vec![("BELLHOP_AMQP_URL", "")], "must be a text that is not empty"),
        ("", vec![("BELLHOP_AMQP_URL_FILE", empty.name())], "names a file that is empty"),
        ("", vec![("BELLHOP_AMQP_URL_FILE", binary.name())], "names a file that cannot be read"),
        (
            "",
            vec![("BELLHOP_AMQP_URL_FILE", "/nowhere/hunter2")],
            "(from variable `BELLHOP_AMQP_URL_FILE`) names a file that",
        ),
    ];
    for (text, environment, expected) in cases {
        let found = problems(load(text, &environment));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(expected) && !found[0].contains("hunter2"), "{found:?}");
    }

    let mut settings = load("[amqp]\nurl = \"hunter2\"\n", &[]);
    settings.section("amqp", "The broker.").secret(key("url"), "an AMQP URL", "amqp://example");
    settings.problem("amqp", "url", "must be an AMQP URL");
    let text = settings.finish().unwrap_err().to_string();
    assert!(text.contains("`[amqp] url` (in file `") && !text.contains("hunter2"), "{text}");
}

#[test]
fn a_file_that_is_not_toml_is_refused_by_line_without_quoting_it() {
    let lines = [
        "url = \"amqp://hunter2",
        "url = amqp://hunter2",
        "hunter2",
        "url = \"a\\hunter2\"",
        "[hunter2",
        "= hunter2",
    ];
    for line in lines {
        let file = Scratch::new(format!("[amqp]\n{line}\n"));
        let error = Settings::load(Some(&file.0), NO_VARIABLES).unwrap_err();
        assert!(matches!(error, ConfigError::Malformed { line: 2 | 3, .. }), "{line}: {error:?}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{line}: {error:?}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_refused() {
    let large = Scratch::new("#".repeat(1024 * 1024 + 1));
    for path in [Path::new("/nowhere/bellhop.toml"), &large.0] {
        let error = Settings::load(Some(path), NO_VARIABLES).unwrap_err();
        assert!(matches!(error, ConfigError::Unreadable { .. }), "{error:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_text_is_a_problem_only_when_it_is_ours() {
    use std::os::unix::ffi::OsStringExt;
    let bytes = || OsString::from_vec(vec![0xff]);
    let environment =
        [(OsString::from("BELLHOP_X"), bytes()), (OsString::from("HOME"), bytes()), (bytes(), bytes())];
    let found = problems(Settings::load(None, environment).unwrap());
    assert_eq!(found, ["`BELLHOP_X` (in the environment) is not UTF-8"]);
}

fn reference() -> String {
    let mut settings = Settings::defaults();
    read_worker(&mut settings);
    read_url(&mut settings);
    settings.reference()
}

/// The reference file with every key switched on.
fn uncommented() -> String {
    let is_key = |rest: &str| rest.starts_with(|character: char| character.is_ascii_lowercase());
    let lines: Vec<String> = reference()
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| is_key(rest)).unwrap_or(line).to_owned())
        .collect();
    lines.join("\n")
}

#[test]
fn the_reference_file_changes_nothing() {
    let mut settings = load(&reference(), &[]);
    assert_eq!(read_worker(&mut settings), read_worker(&mut Settings::defaults()));
    assert_eq!(read_url(&mut settings), None);
    settings.finish().unwrap();
}

#[test]
fn the_reference_file_holds_the_defaults_and_legal_examples() {
    let mut settings = load(&uncommented(), &[]);
    let worker = read_worker(&mut settings);
    let examples = Worker { zone: None, proxy: None, ..read_worker(&mut Settings::defaults()) };
    assert_eq!(worker.zone.as_deref(), Some("north"));
    assert_eq!(worker.proxy, Some("10.0.0.1:3128".parse().unwrap()));
    assert_eq!(Worker { zone: None, proxy: None, ..worker }, examples);
    assert!(read_url(&mut settings).unwrap().expose().starts_with("amqp://"));
    settings.finish().unwrap();
}

#[test]
fn the_reference_file_documents_every_key() {
    let text = reference();
    let expected = "\
# Takes events and sends them.
[worker]

# What it means, in which unit, and what goes wrong when it is too low or too high.
# A whole number from 1 to 2000. Environment: BELLHOP_WORKER_PREFETCH.
#prefetch = 200
";
    assert!(text.contains(expected), "{text}");
    assert!(text.contains("#waits = [\"30s\", \"10m\"]\n"), "{text}");
    assert!(text.contains("BELLHOP_AMQP_URL or BELLHOP_AMQP_URL_FILE."), "{text}");
}

#[test]
#[should_panic(expected = "section `[worker]` is read by one concern only")]
fn a_section_belongs_to_one_concern() {
    let mut settings = Settings::defaults();
    settings.section("worker", "Work.");
    settings.section("worker", "Other work.");
}

#[test]
#[should_panic(expected = "key `b_c` has a variable of its own")]
fn no_two_keys_share_a_variable() {
    let mut settings = Settings::defaults();
    settings.section("a_b", "One.").flag(key("c"), true);
    settings.section("a", "Another.").flag(key("b_c"), true);
}

#[test]
#[should_panic(expected = "the default of `prefetch` is in its range")]
fn a_default_is_legal() {
    Settings::defaults().section("worker", "Work.").integer(key("prefetch"), 0, 1..=2000);
}
