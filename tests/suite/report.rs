//! `kpki report`: one document about the security of a cluster, and nothing in it that must not be there.

use std::{
    collections::BTreeMap,
    fs, io,
    net::TcpListener,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::support::{kpki::Kpki, ports};

/// A broker, a client that is due, one that is revoked and one whose key is elsewhere.
fn a_cluster() -> Kpki {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca", "--subject", "CN=Test CA"]);
    kpki.ok(&["issue", "kafka1", "--host", "10.0.0.1"]);
    kpki.ok(&["issue", "--client", "alice", "--days", "10"]);
    kpki.ok(&["issue", "--client", "bob"]);
    kpki.ok(&["revoke", "bob", "--reason", "keyCompromise"]);
    kpki.ok(&["issue", "--client", "far", "--csr-only", "--out", "there"]);
    kpki.ok(&["sign", "there/far/far.csr", "--client", "--days", "90"]);
    // Replaced certificates are not listed.
    kpki.ok(&["renew", "kafka1"]);
    kpki
}

/// Every file below a directory, with its content and when it was changed.
fn state(dir: &Path) -> BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let changed = fs::metadata(&path).unwrap().modified().unwrap();
        if path.is_dir() {
            found.extend(state(&path));
            found.insert(path, (Vec::new(), changed));
        } else {
            found.insert(path.clone(), (fs::read(&path).unwrap(), changed));
        }
    }
    found
}

/// The page of a report.
fn page(kpki: &Kpki, arguments: &[&str]) -> String {
    kpki.ok(&[arguments, &["report", "--html", "report.html"]].concat());
    fs::read_to_string(kpki.path("report.html")).unwrap()
}

/// The texts in the cells of a row that begins with this head.
fn row<'a>(page: &'a str, head: &str) -> Vec<&'a str> {
    let head = format!("<tr><th scope=\"row\">{head}</th>");
    let mut rows = page.lines().filter(|line| line.starts_with(&head));
    let row = rows.next().unwrap_or_else(|| panic!("{head}: {page}"));
    let cells = row.split("<td").skip(1);
    cells
        .map(|cell| cell.split(['>', '<']).nth(1).unwrap())
        .collect()
}

#[test]
fn it_describes_cas_crls_identities_revocations_what_is_due_and_the_last_changes() {
    let kpki = a_cluster();
    let report = kpki.json(&["report", "--json"]);
    assert_eq!(report["out"], "out");
    assert_eq!(report["ok"], false);
    let status = kpki.run(&["status", "--json"]).expect_code(3).json();
    assert_eq!(report["due"], status["due"]);
    assert_eq!(report["due"][0]["command"], "kpki renew alice");
    assert_eq!(report["rotation"]["state"], "none");

    let [ca] = &report["authorities"].as_array().unwrap()[..] else {
        panic!("{report}");
    };
    let listed = kpki.json(&["list", "--json"]);
    for field in [
        "serial",
        "subject",
        "issuer",
        "not_before",
        "not_after",
        "kind",
    ] {
        assert_eq!(ca[field], listed[0][field], "{field}");
    }
    let seen = kpki.json(&["inspect", "out/ca/ca.crt", "--json"]);
    assert_eq!(ca["sha256"], seen["objects"][0]["sha256"]);
    assert_eq!(
        [&ca["role"], &ca["key"], &ca["key_algorithm"]],
        ["signs", "sealed", "ecdsa-p256"]
    );
    assert_eq!(
        (&ca["name_constraints"], &ca["external_issuer"]),
        (&json!([]), &Value::Null)
    );

    let seen = kpki.json(&["inspect", "out/ca/crl.pem", "--json"]);
    let crl = &report["crls"][0];
    assert_eq!(crl["next_update"], seen["objects"][0]["next_update"]);
    assert_eq!(crl["issuer"], "CN=Test CA G1");
    assert_eq!((&crl["number"], &crl["revoked"]), (&json!(1), &json!(1)));

    // With what `list` shows of the same certificates.
    let identities = report["identities"].as_array().unwrap();
    let facts: Vec<_> = identities
        .iter()
        .map(|own| {
            let is_it = |other: &&Value| other["serial"] == own["serial"];
            let other = listed.as_array().unwrap().iter().find(is_it).unwrap();
            for (field, value) in other.as_object().unwrap() {
                assert_eq!(own[field], *value, "{field}");
            }
            ["name", "status", "key"].map(|field| own[field].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        facts,
        [
            ["alice", "valid", "here"],
            ["far", "valid", "external"],
            ["kafka1", "valid", "here"],
            ["bob", "revoked", "here"],
        ]
    );
    assert_eq!(identities[0]["days_left"], 9);
    let counts = &report["counts"];
    assert_eq!(
        (&counts["identities"], &counts["valid"], &counts["revoked"]),
        (&json!(4), &json!(3), &json!(1))
    );
    let revoked = &report["revocations"][0];
    assert_eq!(
        [&revoked["name"], &revoked["reason"], &revoked["serial"]],
        [
            "bob",
            "keyCompromise",
            identities[3]["serial"].as_str().unwrap()
        ]
    );
    let mut log = kpki.json(&["log", "--json"]);
    log.as_array_mut().unwrap().reverse();
    assert_eq!(report["commands"], log);

    let text = kpki.ok(&["report"]).stdout;
    for said in [
        "4 identities: 3 valid, 1 revoked; 1 thing is due",
        "  expires  alice: the certificate of the client expires on ",
        "      kpki renew alice\n",
        "    key        ecdsa-p256, here, sealed with a passphrase\n",
        ca["sha256"].as_str().unwrap(),
        "DNS:kafka1 IP:10.0.0.1",
        "keyCompromise",
        "revoke bob",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    // A person asked for it.
    assert_eq!(kpki.ok(&["report", "-q"]).stdout, text);

    let page = page(&kpki, &[]);
    let until = |at: usize| &identities[at]["not_after"].as_str().unwrap()[..10];
    assert_eq!(
        row(&page, "alice"),
        [
            "valid",
            until(0),
            "9",
            "client",
            "here",
            "ecdsa-p256",
            "DNS:alice"
        ]
    );
    assert_eq!(row(&page, "far")[4], "external");
    assert_eq!(row(&page, "bob")[0], "revoked");
    assert!(page.contains("<code>kpki renew alice</code>"), "{page}");
    assert!(page.contains("4 identities: 3 valid, 1 revoked; 1 thing is due."));
    assert_eq!(kpki.mode("report.html"), 0o644);
    let said = kpki.ok(&["report", "--html", "report.html"]).stdout;
    assert_eq!(said, "wrote report.html\n");
}

#[test]
fn nothing_is_changed_and_no_secret_is_in_it() {
    let mut kpki = a_cluster();
    kpki.without_env("KPKI_CA_PASSPHRASE");
    let before = state(&kpki.path("out"));
    let mut all = kpki.ok(&["report"]).stdout;
    all += &kpki.ok(&["report", "--json"]).stdout;
    all += &page(&kpki, &[]);
    assert_eq!(state(&kpki.path("out")), before);

    let mut secrets = vec!["a passphrase of the tests".to_owned()];
    for (path, (content, _)) in &before {
        let text = String::from_utf8_lossy(content);
        let passwords = text.lines().filter_map(|line| line.split_once("password="));
        secrets.extend(passwords.map(|(_, password)| password.to_owned()));
        let name = path.file_name().unwrap().to_str().unwrap();
        if name == "truststore.password" || name.ends_with(".key") {
            let lines = text.lines().filter(|line| line.len() >= 32);
            secrets.extend(lines.map(str::to_owned));
        }
    }
    // Those of the CA, its truststore and at least two of each identity.
    assert!(secrets.len() > 10, "{secrets:?}");
    for secret in secrets {
        assert!(!all.contains(&secret), "{secret}");
    }
}

#[test]
fn names_and_paths_that_are_markup_are_shown_as_text() {
    let mut kpki = Kpki::new();
    let out = "o<b onload=\"x\">&'ut";
    kpki.env("SUDO_USER", "<img src=x onerror=alert(1)>");
    let subject = r"CN=\<script\>alert(1)\</script\>,O=a & \u{202e}b";
    let subject = subject.replace(r"\u{202e}", "\u{202e}");
    kpki.ok(&["--out", out, "init-ca", "--subject", &subject]);
    kpki.ok(&["--out", out, "issue", "--client", "alice", "--days", "5"]);
    let page = page(&kpki, &["--out", out]);
    for raw in ["<script", "<img", "<b ", "onload=\"", "\u{202e}"] {
        assert!(!page.contains(raw), "{raw}: {page}");
    }
    for shown in [
        r"\&lt;script\&gt;alert(1)\&lt;/script\&gt; G1,O=a &amp; \u{202e}b",
        "&lt;img src=x onerror=alert(1)&gt; as ",
        "<title>Security report: o&lt;b onload=&quot;x&quot;&gt;&amp;&#39;ut</title>",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    // Whatever else there may be runs nothing and loads nothing.
    let policy = "default-src 'none'; style-src 'sha256-";
    assert!(page.contains(policy), "{page}");
    assert!(!page.contains("src=\"") && !page.contains("href="));
    let text = kpki
        .ok(&["--out", out, "report", "--color", "always"])
        .stdout;
    assert!(!text.contains('\u{202e}'), "{text}");
}

#[test]
fn without_a_ca_or_a_place_for_the_page_it_is_an_error() {
    let kpki = Kpki::new();
    let code = |arguments: &[&str]| {
        let failed = kpki.run(arguments).expect_code(1).json();
        failed["error"]["code"].as_str().unwrap().to_owned()
    };
    assert_eq!(code(&["report", "--json"]), "ca-missing");
    let nowhere = ["report", "--json", "--html", "nowhere/report.html"];
    assert_eq!(code(&nowhere), "io");
    kpki.ok(&["init-ca"]);
    assert_eq!(code(&nowhere), "io");
    // Before anybody is there, it says so.
    let text = kpki.ok(&["report"]).stdout;
    assert!(text.contains("no identities; nothing is due"), "{text}");
    assert!(page(&kpki, &[]).contains("no identities; nothing is due."));
}

#[test]
fn every_ca_is_in_it_with_the_place_of_its_key() {
    let kpki = Kpki::new();
    kpki.ok(&[
        "init-ca",
        "--no-passphrase",
        "--intermediate",
        "--name-constraint",
        "example.org",
    ]);
    let keys = || {
        let report = kpki.json(&["report", "--json"]);
        let all = report["authorities"].as_array().unwrap().iter();
        all.map(|own| ["role", "key"].map(|field| own[field].as_str().unwrap().to_owned()))
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(), [["signs", "open"], ["above", "open"]]);
    fs::rename(kpki.path("out/ca/root.key"), kpki.path("root.key")).unwrap();
    assert_eq!(keys(), [["signs", "open"], ["above", "away"]]);
    let text = kpki.ok(&["report"]).stdout;
    assert!(text.contains("only for   example.org"), "{text}");
    assert!(text.contains("here, WITHOUT a passphrase"), "{text}");
}

#[test]
fn brokers_are_not_asked_even_during_a_rotation() {
    let kpki = Kpki::new();
    let [port] = ports::free();
    kpki.write(
        "policy.yaml",
        &format!("cluster: {{name: t, listeners: [{{name: SSL, port: {port}, protocol: SSL, client_auth: required}}], mode: zookeeper, kafka_version: '3.9', zookeeper_connect: ['localhost:1']}}
brokers:
  - {{name: kafka1, hosts: [localhost, kafka1]}}
"),
    );
    kpki.ok(&["up", "policy.yaml"]);
    kpki.ok(&["rotate-ca", "start"]);
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let report = kpki.json(&["report", "--json"]);
    let came = listener.accept().map(drop).unwrap_err();
    assert_eq!(came.kind(), io::ErrorKind::WouldBlock);
    let due = &report["due"][0];
    assert_eq!(
        (&due["code"], &due["command"]),
        (&json!("rotation"), &json!("kpki rotate-ca status"))
    );
    let message = due["message"].as_str().unwrap();
    assert!(message.contains("kafka1 (it was not asked)"), "{message}");
    assert_eq!(report["rotation"]["state"], "trusting");
    let roles = report["authorities"].as_array().unwrap().iter();
    let roles: Vec<_> = roles.map(|own| own["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["signs", "standby"]);
    assert!(page(&kpki, &[]).contains("generation 1 is being replaced by generation 2"));
}

#[test]
fn a_list_that_is_cut_says_how_much_is_missing() {
    let kpki = Kpki::with_open_ca();
    kpki.ok(&["issue", "--client", "alice"]);
    let inventory = kpki.path("out/ca/inventory.jsonl");
    let mut text = fs::read_to_string(&inventory).unwrap();
    let alice: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    for n in 0..1004 {
        let mut other = alice.clone();
        other["name"] = json!(format!("c{n}"));
        other["serial"] = json!(format!("{n:032x}"));
        text += &format!("{other}\n");
    }
    fs::write(&inventory, text).unwrap();
    let more = "and 5 more; kpki report --json lists all of them";
    assert!(kpki.ok(&["report"]).stdout.contains(more));
    let page = page(&kpki, &[]);
    assert!(page.contains(more));
    assert_eq!(page.matches("<td class=\"good\">valid</td>").count(), 1000);
    let report = kpki.json(&["report", "--json"]);
    assert_eq!(report["identities"].as_array().unwrap().len(), 1005);
}

/// It was written over anything, the CA's key too.
#[test]
fn a_report_is_written_over_an_earlier_one_and_nothing_else() {
    let kpki = a_cluster();
    kpki.write("empty.html", "");
    for _ in 0..2 {
        kpki.ok(&["report", "--html", "report.html"]);
        kpki.ok(&["report", "--html", "empty.html"]);
    }
    kpki.write("other.html", "<!DOCTYPE html>\n<html lang=\"en\">");
    for file in ["other.html", "out/ca/ca.key"] {
        let before = fs::read(kpki.path(file)).unwrap();
        let said = kpki.run(&["report", "--html", file, "--json"]);
        assert_eq!(said.expect_code(1).json()["error"]["code"], "file-exists");
        assert!(fs::read(kpki.path(file)).unwrap() == before, "{file}");
    }
}
