//! The command line from outside: what was typed wrongly, what is printed where, and how it ends.

use std::fs::File;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Stdio};

use assert_cmd::assert::OutputAssertExt;
use tempfile::TempDir;

use udpecho::record::Folder;

use crate::common::files::Record;
use crate::common::process::{Finished, Process, Serve, command, free_port, names, run, udpecho};

/// Ends with exit code 2 and one line that holds all these words; nothing is left in its folder.
fn refuses(words: &str, mentions: &[&str]) {
    let folder = TempDir::new().unwrap();
    refuses_in(folder.path(), words, mentions);
    assert_eq!(names(folder.path()), [""; 0], "left behind by {words}");
}

/// Ends with exit code 1, as a run without a reply does.
fn finds_no_server(words: &str, mentions: &[&str]) {
    let folder = TempDir::new().unwrap();
    fails_in(folder.path(), 1, words, mentions);
    assert_eq!(names(folder.path()), [""; 0], "left behind by {words}");
}

fn refuses_in(folder: &Path, words: &str, mentions: &[&str]) {
    fails_in(folder, 2, words, mentions);
}

/// The same, with this exit code.
fn fails_in(folder: &Path, code: i32, words: &str, mentions: &[&str]) {
    let output = command(folder, words).assert().code(code).stdout("").get_output().clone();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.starts_with("udpecho: ") && stderr.ends_with('\n') && stderr.lines().count() == 1,
        "{stderr}"
    );
    for mention in mentions {
        assert!(stderr.contains(mention), "no '{mention}' in: {stderr}");
    }
}

#[test]
fn a_bad_value_names_the_flag_and_shows_a_good_one() {
    for (flags, mentions) in [
        ("-n 0", &["'0'", "--count", "of at least 1", "for example 100"][..]),
        ("-n -3", &["'-3'", "--count", "for example 100"]),
        ("-n many", &["'many'", "--count", "for example 100"]),
        ("-i -1", &["'-1'", "--interval", "negative", "for example 0.5 or 500ms"]),
        ("-i nan", &["'nan'", "--interval", "a finite number", "for example"]),
        ("-i 0", &["'0'", "--interval", "longer than zero", "for example"]),
        ("-s 3", &["'3'", "--size", "56 bytes at least", "--text takes less", "for example -s 64"]),
        ("-s 70000", &["'70000'", "--size", "65507", "for example -s 1400"]),
        ("-s -1", &["'-1'", "--size", "negative", "for example 512"]),
        ("-p 0", &["'0'", "--port", "1 to 65535", "for example 8080"]),
        ("-p 70000", &["'70000'", "--port", "1 to 65535", "for example 8080"]),
        ("-W 0", &["--deadline", "longer than zero", "for example"]),
        ("--decay=100%", &["--decay", "less than 100%", "for example 5%"]),
        ("--poisson --decay", &["--poisson", "--decay", "cannot be used with"]),
        ("--poisson-seed 1", &["--poisson"]),
        ("-i 10ms --poisson --min-interval 10ms", &["-i 10ms", "--min-interval 10ms", "for example -i 10ms"]),
        ("--find-size -n 3", &["unexpected argument '-n'"]),
        ("-Q 64", &["--dscp", "0 to 63", "for example"]),
        ("-t 0", &["--ttl", "1 to 255", "for example"]),
        ("-ip 127.0.0.2", &["--ip", "multiple times"]),
        ("127.0.0.2", &["--ip", "HOST"]),
    ] {
        refuses(&format!("ping -ip 127.0.0.1 {flags}"), mentions);
    }
    refuses("ping -ip ::1 -s 65528", &["--size", "IPv6 carries 65527"]);
    refuses("ping 127.0.0.1:70000", &["'70000'", "1 to 65535"]);
    refuses("ping 127.0.0.1:0", &["'0'", "1 to 65535"]);
    refuses("ping -p 9", &["needs a host", "for example"]);
    refuses("serve -p 65536", &["'65536'", "--port", "0 to 65535", "for example 8080"]);
    refuses("serve -p 70000", &["'70000'", "--port", "for example 8080"]);
    refuses("pong", &["'pong'", "'ping'"]);
}

#[test]
fn a_size_that_the_server_refuses_is_reported_with_its_limit() {
    let serve = Serve::start("--max-size 100");
    refuses(&format!("ping 127.0.0.1:{} -n 1 -s 101", serve.port), &["takes 100 bytes at most: -s 100"]);
}

#[test]
fn an_unknown_host_is_named() {
    refuses("ping -ip no-such-host.invalid -n 1", &["'no-such-host.invalid'", "is the name right?"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_reported_before_the_first_probe() {
    let serve = Serve::start("--clean");
    let folder = TempDir::new().unwrap();
    File::create(folder.path().join("file")).unwrap();
    let ping = format!("ping -ip 127.0.0.1 -p {} -n 1 -o", serve.port);
    // Below a file not even root can write.
    refuses_in(folder.path(), &format!("{ping} file/below"), &["file/below", "Not a directory", "-o"]);
    refuses_in(folder.path(), &format!("{ping} file"), &["file is a file, not a folder", "-o"]);
    assert_eq!(names(folder.path()), ["file"]);
    serve.process.signal("TERM");
    let totals = serve.process.finish();
    assert!(totals.has_line("received 0 datagrams"), "{totals:?}");
}

#[test]
fn a_recorded_run_is_replaced_only_by_force_and_only_by_a_run_that_begins() {
    let serve = Serve::start("--clean");
    let folder = TempDir::new().unwrap();
    let ping =
        |port: u16, more: &str| format!("ping -ip 127.0.0.1 -p {port} -n 2 -i 0.01 -W 10 -o run {more}");
    command(folder.path(), &ping(serve.port, "")).assert().success();
    let read = || std::fs::read(folder.path().join("run/run.json")).unwrap();
    let first = read();
    refuses_in(folder.path(), &ping(serve.port, ""), &["run already holds a run", "-o", "--force"]);
    // No server listens there.
    fails_in(folder.path(), 1, &ping(free_port(), "--force"), &["ICMP port unreachable"]);
    assert_eq!(read(), first);
    Record::complete(&folder.path().join("run"));
    command(folder.path(), &ping(serve.port, "--force")).assert().success();
    assert_ne!(read(), first);
    Record::complete(&folder.path().join("run"));
}

#[test]
fn a_port_in_use_is_reported_with_another_to_try() {
    let taken = UdpSocket::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for options in ["", "-4", "-b 127.0.0.1", "--io portable"] {
        refuses(&format!("serve -p {port} {options}"), &[&format!("port {port}"), "try another, as in -p"]);
    }
}

#[test]
fn a_server_that_may_choose_says_which_port_it_has() {
    let folder = TempDir::new().unwrap();
    for (options, addresses) in [
        ("--clean", &["127.0.0.1", "::1"][..]),
        ("--clean --threads 3", &["127.0.0.1", "::1"]),
        ("--clean --io portable", &["127.0.0.1", "::1"]),
        ("--clean -4", &["127.0.0.1"]),
        ("--clean -b ::1", &["::1"]),
    ] {
        let serve = Serve::start(options);
        for address in addresses {
            let ping = format!("ping -ip {address} -p {} -n 1 --no-record", serve.port);
            run(command(folder.path(), &ping)).assert_summed_up();
        }
    }
}

#[test]
fn a_closed_port_is_reported_as_icmp_port_unreachable() {
    for host in ["127.0.0.1", "::1", "localhost"] {
        for options in ["", "--text", "--io portable", "-o deep/er"] {
            let port = free_port();
            let start = format!("udpecho serve -p {port}");
            // Silence would be told in other words.
            let ping = format!("ping -ip {host} -p {port} -n 1 {options}");
            finds_no_server(&ping, &["ICMP port unreachable", &start]);
        }
    }
}

#[test]
fn silence_is_reported_after_the_retries() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let question = format!("is a udpecho server on port {port}");
    finds_no_server(
        &format!("ping 127.0.0.1:{port} -n 1"),
        &["no answer from 127.0.0.1", "after 5 tries", &question],
    );
}

#[test]
fn with_wait_a_server_that_is_started_later_is_measured() {
    let port = free_port();
    let folder = TempDir::new().unwrap();
    let ping = format!("ping 127.0.0.1:{port} -n 2 -i 10ms --wait --no-record");
    let mut ping = Process::spawn(command(folder.path(), &ping));
    ping.line_with("asking until there is one");
    let _serve = Process::spawn(command(folder.path(), &format!("serve --clean -p {port}")));
    ping.finish().assert_summed_up();
}

#[test]
fn a_run_that_is_stopped_before_it_begins_leaves_nothing() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let folder = TempDir::new().unwrap();
    let ping = Process::spawn(command(folder.path(), &format!("ping {} -n 1", silent.local_addr().unwrap())));
    // Its first hello shows that it is up.
    silent.recv(&mut [0; 2048]).unwrap();
    ping.signal("INT");
    let finished = ping.finish();
    assert_eq!((finished.code, names(folder.path())), (Some(1), vec![]), "{finished:?}");
    assert!(finished.stderr[0].starts_with("udpecho: stopped before 127.0.0.1"), "{finished:?}");
}

#[test]
fn every_way_to_name_the_server_reaches_it() {
    let serve = Serve::start("--clean");
    let port = serve.port;
    let folder = TempDir::new().unwrap();
    for (target, header) in [
        (format!("-ip 127.0.0.1 -p {port}"), "PING 127.0.0.1 (127.0.0.1)"),
        (format!("-ip=127.0.0.1 -port={port}"), "PING 127.0.0.1 (127.0.0.1)"),
        (format!("--ip 127.0.0.1 -port {port}"), "PING 127.0.0.1 (127.0.0.1)"),
        (format!("--ip=127.0.0.1 --port={port}"), "PING 127.0.0.1 (127.0.0.1)"),
        (format!("127.0.0.1 -p {port}"), "PING 127.0.0.1 (127.0.0.1)"),
        (format!("127.0.0.1:{port}"), "PING 127.0.0.1 (127.0.0.1)"),
        (format!("-ip 127.0.0.1:{port}"), "PING 127.0.0.1 (127.0.0.1)"),
        (format!("[::1]:{port}"), "PING ::1 (::1)"),
        (format!("-ip ::1 -p {port}"), "PING ::1 (::1)"),
        (format!("-4 localhost:{port}"), "PING localhost (127.0.0.1)"),
        (format!("localhost:{port}"), "PING localhost ("),
    ] {
        let words = format!("ping {target} -n 1 -W 10 -s 100 --no-record");
        let finished = run(command(folder.path(), &words));
        finished.assert_summed_up();
        assert!(finished.stdout[0].starts_with(header), "{target}: {}", finished.stdout[0]);
        assert!(finished.stdout[0].contains(&format!("UDP port {port}")), "{target}: {}", finished.stdout[0]);
        assert!(finished.has_line("1 packets transmitted, 1 received, 0% packet loss"), "{finished:#?}");
    }
    assert_eq!(names(folder.path()), [""; 0], "--no-record writes nothing");
}

fn measured(serve: &Serve, options: &str) -> Finished {
    let folder = TempDir::new().unwrap();
    let words = format!("ping -ip 127.0.0.1 -p {} -c 5 -i 0.01 -W 3 {options}", serve.port);
    let finished = run(command(folder.path(), &words));
    finished.assert_summed_up();
    finished
}

#[test]
fn quiet_prints_the_ends_and_verbose_prints_all() {
    let serve = Serve::start("--clean");
    let [usual, quiet, verbose] = ["", "-q", "-v"].map(|options| measured(&serve, options));
    for (finished, probes, all) in [(&usual, true, false), (&quiet, false, false), (&verbose, true, true)] {
        assert_eq!(finished.has_line("udp_seq="), probes, "{finished:#?}");
        assert_eq!(finished.has_line("ipdv (RFC 3393)"), all, "{finished:#?}");
        assert!(finished.has_line("the server injects nothing"), "{finished:#?}");
    }
    // A result is on stdout; where the picture is, on stderr, and nothing else.
    assert!(usual.stderr[0].ends_with("report.png") && usual.stderr.len() == 1, "{usual:?}");
}

#[test]
fn a_seed_gives_random_intervals_again() {
    let serve = Serve::start("--clean");
    let folder = TempDir::new().unwrap();
    let due = |more: &str, name: &str| {
        let words = format!("ping -ip 127.0.0.1:{} -n 30 -i 3ms -q -o {name} {more}", serve.port);
        run(command(folder.path(), &words)).assert_summed_up();
        let folder = Folder::open(&folder.path().join(name)).unwrap();
        let seed = folder.read_run().unwrap().config.poisson_seed.unwrap();
        let rows = folder.probe_reader().unwrap().map(Result::unwrap);
        (seed, rows.map(|row| (row.due, row.interval)).collect::<Vec<_>>())
    };
    let (seed, first) = due("--poisson", "first");
    assert_eq!(due(&format!("--poisson --poisson-seed {seed}"), "second"), (seed, first.clone()));
    assert_ne!(due("--poisson", "third").1, first);
}

#[test]
fn piped_output_has_no_terminal_codes() {
    let serve = Serve::start("--impair-seed 1");
    let finished = measured(&serve, "-v");
    let lines = [finished.stdout, finished.stderr].concat();
    assert!(lines.iter().all(|line| !line.contains(['\x1b', '\r'])), "{lines:#?}");
}

#[test]
fn no_color_is_obeyed_on_a_terminal() {
    crate::needs!(Python);
    let help = |no_color: &str| {
        let script =
            format!("import pty; pty.spawn([{:?}, 'ping', '--help'])", env!("CARGO_BIN_EXE_udpecho"));
        let mut python = Command::new("python3");
        python.args(["-c", &script]).env("TERM", "xterm").env("NO_COLOR", no_color).env_remove("CI");
        let finished = run(python);
        assert!(finished.has_line("--interval"), "{finished:#?}");
        finished.stdout.concat()
    };
    assert!(help("").contains('\x1b'), "a terminal gets colours otherwise");
    assert!(!help("1").contains('\x1b'));
}

#[test]
fn a_closed_pipe_ends_the_run_quietly_and_its_record_is_whole() {
    let serve = Serve::start("--clean");
    let folder = TempDir::new().unwrap();
    let ping = format!("ping -ip 127.0.0.1 -p {} -n 3000 -i 0.01 -W 10 -o run", serve.port);
    let closed = || std::io::pipe().unwrap().1;
    let output = command(folder.path(), &ping).stdout(closed()).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "run/report.png\n");
    let record = Record::complete(&folder.path().join("run"));
    assert!(record.rows.len() < 3000, "it went on to its end");
    // With stderr closed too, as in `2>&1 | head -1`.
    for words in [format!("{ping} --force"), "report run".into(), "ping --help".into()] {
        let status = command(folder.path(), &words).stdout(closed()).stderr(closed()).status().unwrap();
        assert_eq!(status.code(), Some(0), "{words}");
    }
    let status = command(folder.path(), "ping -n 0").stdout(closed()).stderr(closed()).status().unwrap();
    assert_eq!(status.code(), Some(2));
}

#[test]
fn the_banner_says_in_words_what_is_injected() {
    for (options, says) in [("", "injects on purpose: "), ("--clean", "injects nothing")] {
        let serve = Serve::start(options);
        serve.process.signal("TERM");
        let finished = serve.process.finish();
        assert_eq!(finished.code, Some(0));
        assert!(finished.has_line(&format!("listening on UDP port {}", serve.port)), "{finished:?}");
        assert!(finished.has_line(says), "{finished:?}");
    }
}

#[test]
fn help_and_version_are_results() {
    let short = concat!("udpecho ", env!("CARGO_PKG_VERSION"), "\n");
    udpecho().arg("-V").assert().success().stdout(short);
    let long = run(command(Path::new("."), "--version"));
    let names = |line: &str| long.stdout.iter().filter(|shown| shown.starts_with(line)).count();
    assert_eq!(["udpecho 0.", "commit: ", "features: net ", "target: "].map(names), [1; 4], "{long:?}");
    udpecho().args(["ping", "--help"]).assert().success().stderr("");
    udpecho().assert().code(2);
}

#[test]
fn help_fits_80_columns_and_every_command_has_three_examples() {
    let mut program = udpecho::cli::command();
    program.build();
    let wide = |help: &str| help.lines().find(|line| line.chars().count() > 80).map(str::to_owned);
    assert_eq!(wide(&program.render_long_help().to_string()), None);
    for command in program.get_subcommands_mut().filter(|command| command.get_name() != "help") {
        let name = command.get_name().to_owned();
        for help in [command.render_help(), command.render_long_help()] {
            let help = help.to_string();
            assert_eq!(wide(&help), None, "{name}");
            let examples = help.split("Examples:").nth(1).unwrap_or_else(|| panic!("{name} has no examples"));
            assert!(examples.lines().filter(|line| line.starts_with("  udpecho ")).count() >= 3, "{name}");
        }
    }
    udpecho().args(["help", "impairments"]).assert().success();
    let help = run(command(Path::new("."), "--help"));
    assert!(help.has_line("udpecho help impairments"), "{help:#?}");
}

#[test]
fn completions_name_every_command_for_each_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(command(Path::new("."), &format!("completions {shell}"))).stdout.join("\n");
        for command in udpecho::cli::command().get_subcommands() {
            assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
        }
    }
}

#[test]
fn find_size_prints_json_that_keeps_to_its_schema() {
    let serve = Serve::start("--clean");
    let folder = TempDir::new().unwrap();
    let schema = run(command(folder.path(), "schema size")).stdout.concat();
    let schema = serde_json::from_str(&schema).unwrap();
    for words in ["find-size --json", "ping --find-size --json"] {
        let finished = run(command(folder.path(), &format!("{words} 127.0.0.1:{}", serve.port)));
        assert_eq!(finished.code, Some(0), "{finished:#?}");
        let found: serde_json::Value = serde_json::from_str(&finished.stdout.concat()).unwrap();
        assert!(jsonschema::is_valid(&schema, &found), "{found}");
        assert_eq!((&found["both"], &found["down_is_exact"]), (&65_507.into(), &true.into()));
    }
    assert_eq!(names(folder.path()), [""; 0], "it records nothing");
}

#[test]
fn rows_of_a_second_are_those_of_seconds_csv_and_a_minute_is_one_row() {
    let serve = Serve::start("--clean");
    let folder = TempDir::new().unwrap();
    let ping = |more: &str| {
        let words = format!("ping 127.0.0.1:{} -n 24 -i 0.05 -W 10 {more}", serve.port);
        let finished = run(command(folder.path(), &words));
        assert_eq!(finished.code, Some(0), "{finished:#?}");
        finished
    };
    let finished = ping("-o run --every 1 --csv rows.csv");
    assert!(finished.has_line("second 1: ") && !finished.has_line("udp_seq="), "{finished:#?}");
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(read("rows.csv"), read("run/seconds.csv"));

    let events = ping("--no-record --every 1m --json-stream").stdout;
    let events = events.iter().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let kinds = events.map(|event| event["event"].as_str().unwrap().to_owned());
    let kinds: Vec<String> = kinds.filter(|kind| kind != "note").collect();
    assert_eq!(kinds, ["start", "interval", "end"]);
}

#[cfg(target_os = "linux")]
#[test]
fn the_load_of_the_clients_host_is_recorded_once_a_second() {
    let serve = Serve::start("--clean");
    let folder = TempDir::new().unwrap();
    let hosts = |more: &str| {
        let words = format!("ping 127.0.0.1:{} -n 24 -i 0.05 -W 10 -q --force -o run {more}", serve.port);
        run(command(folder.path(), &words)).assert_summed_up();
        Folder::open(&folder.path().join("run")).unwrap().read_run().unwrap().hosts
    };
    let hosts_seen = hosts("").expect("a run of more than a second");
    assert!(hosts_seen.server.is_none() && !hosts_seen.client.is_empty());
    for figures in &hosts_seen.client {
        assert!(figures.second >= 1 && figures.udp_receive_errors.is_some() && figures.load.is_some());
    }
    assert!(hosts_seen.client.iter().any(|figures| figures.lateness_p99_us.is_some()), "{hosts_seen:?}");
    assert_eq!(hosts("--no-host-figures"), None);
}
