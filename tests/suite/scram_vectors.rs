//! SCRAM credentials against Kafka's own ScramFormatter, Sanitizer and storage tool.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use serde::Deserialize;
use serde_json::json;

use kpki::{
    config::{cluster_id, storage_args},
    scram::{Credential, Mechanism, zookeeper},
    secret::Secret,
};

use crate::support::{java::judge, kpki::Kpki, terminal};

/// The same inputs in every run, so that a failure is there the next time too.
fn samples<T: std::fmt::Debug>(count: usize, strategy: impl Strategy<Value = T>) -> Vec<T> {
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    (0..count)
        .map(|_| strategy.new_tree(&mut runner).unwrap().current())
        .collect()
}

/// Texts of any characters: of ASCII, of a few scripts, composed and decomposed, and beyond the first plane.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{1,40}",
        "[a-zäöüßéñ\u{301}\u{aa}\u{fb01}]{1,20}",
        "[\u{430}-\u{44f}\u{4e00}-\u{4e80}\u{1f600}-\u{1f640}]{1,12}",
        any::<String>().prop_filter("a password is not empty", |text| !text.is_empty()),
    ]
}

fn mechanism() -> impl Strategy<Value = Mechanism> {
    prop::sample::select(Mechanism::ALL.to_vec())
}

#[test]
fn kafkas_formatter_derives_the_same() {
    let Some(judge) = judge() else { return };
    let iterations = prop_oneof![8 => Just(4096u32), 1 => 4096..=16384u32];
    let salt = prop::collection::vec(any::<u8>(), 1..40);
    let inputs = samples(240, (text(), mechanism(), iterations, salt));
    assert!(
        inputs
            .iter()
            .filter(|(password, ..)| !password.is_ascii())
            .count()
            > 100
    );
    for (password, mechanism, iterations, salt) in inputs {
        let ours = Credential::derive(
            "alice",
            &Secret::new(password.clone()),
            mechanism,
            iterations,
            &salt,
        )
        .unwrap();
        let theirs = judge
            .scram(
                mechanism.name(),
                &STANDARD.encode(&password),
                &STANDARD.encode(&salt),
                iterations,
            )
            .unwrap();
        assert_eq!(
            ours.kafka(),
            theirs.stored,
            "{password:?} {mechanism} {iterations}"
        );
        assert_eq!(
            STANDARD.encode(&*ours.salted_password),
            theirs.salted_password
        );
    }
}

#[test]
fn kafka_names_users_the_same_in_zookeeper() {
    #[derive(Deserialize)]
    struct Names {
        sanitized: String,
    }
    let Some(judge) = judge() else { return };
    for user in samples(100, text()) {
        let theirs: Names = judge.ask("names", json!({"user": user})).unwrap();
        let ours = Credential::derive(
            &user,
            &Secret::new("x".into()),
            Mechanism::Sha256,
            4096,
            b"s",
        );
        let ours = zookeeper(&[ours.unwrap()]);
        assert_eq!(ours[0].path, format!("/config/users/{}", theirs.sanitized));
    }
}

#[derive(Deserialize)]
struct Formatted {
    code: i32,
    printed: String,
    users: Vec<Stored>,
}

#[derive(Deserialize, Debug, PartialEq, Eq)]
struct Stored {
    user: String,
    mechanism: String,
    stored: String,
}

#[test]
fn the_storage_tool_stores_the_credentials_that_kpki_derived() {
    let Some(judge) = judge() else { return };
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let config = dir.path().join("server.properties");
    std::fs::write(
        &config,
        format!(
            "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@localhost:19095\n\
             controller.listener.names=CONTROLLER\nlisteners=PLAINTEXT://:19093,CONTROLLER://:19095\nlog.dirs={}\n",
            data.display()
        ),
    )
    .unwrap();

    let mut users = samples(40, ("[ -~äé\u{1f600}]{1,12}", mechanism()));
    for odd in ["=", "a=b", "]", "[x]", " a ", "=3D", "name=x", "\\", "'"] {
        users.push((odd.to_owned(), Mechanism::Sha512));
    }
    let password = Secret::new("pencil".into());
    let credentials: Vec<Credential> = users
        .iter()
        .map(|(user, mechanism)| {
            Credential::derive(user, &password, *mechanism, 4096, user.as_bytes()).unwrap()
        })
        .filter(|c| c.kraft_argument().is_ok())
        .collect();
    let refused: Vec<&str> = users
        .iter()
        .map(|(user, _)| user.as_str())
        .filter(|user| !credentials.iter().any(|c| c.user == **user))
        .collect();
    assert!(
        refused.iter().all(|user| user.contains([',', '"'])),
        "{refused:?}"
    );
    assert!(credentials.len() > 35, "{refused:?}");

    let args = dir.path().join("format-storage.args");
    let text = storage_args(
        &cluster_id([0xfb; 16]),
        config.to_str().unwrap(),
        credentials.iter().map(|c| c.kraft_argument()),
    )
    .unwrap();
    std::fs::write(&args, text.expose()).unwrap();
    // The tool reads its arguments from the file itself.
    let formatted: Formatted = judge
        .ask(
            "storage",
            json!({"arguments": [format!("@{}", args.display())], "data": data}),
        )
        .unwrap();
    assert_eq!(formatted.code, 0, "{}", formatted.printed);
    let expected: Vec<Stored> = credentials
        .iter()
        .map(|c| Stored {
            user: c.user.clone(),
            mechanism: c.mechanism.name().to_owned(),
            stored: c.kafka(),
        })
        .collect();
    assert_eq!(formatted.users, expected);
}

/// A password that was mistyped, and that nobody has seen, locks its user out.
#[test]
fn a_terminal_is_asked_twice_for_the_password() {
    let kpki = Kpki::new();
    let derive = ["scram", "derive", "--user", "alice", "--json"];
    let Some(same) = terminal::run(&kpki, 80, &derive, "pencil\npencil\n") else {
        return;
    };
    let same = same.expect_code(0).stdout;
    assert!(
        same.contains("Repeat: ") && same.contains("\"alice\""),
        "{same}"
    );
    let other = terminal::run(&kpki, 80, &derive, "pencil\npensil\n").unwrap();
    let other = other.expect_code(1).stdout;
    assert!(other.contains("password-mismatch"), "{other}");
}
