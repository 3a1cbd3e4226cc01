//! What a person sees while no broker answers, and afterwards: words of kpki's own, and the server by its name.

use std::net::TcpListener;

use crate::support::{kpki::Kpki, ports, terminal};

#[test]
fn whoever_waits_on_a_terminal_is_told_what_for() {
    let kpki = Kpki::new();
    let [port] = ports::free();
    // It takes connections and says nothing.
    let _silent = TcpListener::bind(("127.0.0.1", port)).unwrap();
    kpki.write(
        "tls.properties",
        &format!("bootstrap.servers=127.0.0.1:{port}\nsecurity.protocol=SSL\n"),
    );
    let export = ["acl", "export", "--command-config", "tls.properties"];
    let waiting = format!("waiting for 127.0.0.1:{port}");
    let Some(shown) = terminal::run(&kpki, 80, &export, "") else {
        return;
    };
    assert_eq!(shown.code, Some(1));
    assert_eq!(
        shown.stdout.matches(&waiting).count(),
        1,
        "{}",
        shown.stdout
    );
    for quiet in ["-q", "--json"] {
        let shown = terminal::run(&kpki, 80, &[&export[..], &[quiet]].concat(), "").unwrap();
        assert!(!shown.stdout.contains("waiting"), "{}", shown.stdout);
    }
    // Nobody but a person hears of it.
    let piped = kpki.run(&export).expect_code(1);
    assert!(!piped.stderr.contains("waiting"), "{}", piped.stderr);
    for part in [
        "error: ",
        "hint: ",
        &format!("127.0.0.1:{port}"),
        "does not answer",
    ] {
        assert!(piped.stderr.contains(part), "{}", piped.stderr);
    }
}

#[test]
fn no_message_is_in_the_words_of_librdkafka() {
    let kpki = Kpki::new();
    let [port] = ports::free();
    let mut servers = vec![
        format!("127.0.0.1:{port}"),
        "no-such-host.invalid:9093".to_owned(),
    ];
    // It hangs up on everybody.
    let [rude] = ports::free();
    let listener = TcpListener::bind(("127.0.0.1", rude)).unwrap();
    std::thread::spawn(move || listener.incoming().take(200).for_each(drop));
    servers.push(format!("127.0.0.1:{rude}"));
    for server in servers {
        for protocol in ["SSL", "PLAINTEXT"] {
            kpki.write(
                "client.properties",
                &format!("bootstrap.servers={server}\nsecurity.protocol={protocol}\n"),
            );
            let export = ["acl", "export", "--command-config", "client.properties"];
            let said = kpki.run(&export).expect_code(1).stderr;
            for raw in [
                "thrd:",
                "ssl://",
                "(after ",
                "in state ",
                "Local:",
                "ipv4#",
                "/bootstrap",
            ] {
                assert!(!said.contains(raw), "{protocol} {raw}: {said}");
            }
            for part in ["error: ", "hint: ", &server] {
                assert!(said.contains(part), "{said}");
            }
        }
    }
}
