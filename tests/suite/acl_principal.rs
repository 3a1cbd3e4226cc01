//! `kpki principal`: who Kafka takes the owner of a certificate to be.

use serde_json::json;

use crate::support::kpki::Kpki;

const CN: &str = "RULE:^CN=([^,]+).*$/$1/";

#[test]
fn identities_files_and_names_have_a_principal() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.ok(&["issue", "alice", "--client"]);
    let alice = json!({"subject": "CN=alice", "principal": "User:alice", "rule": CN});
    for of in [
        "alice",
        "out/alice/alice.crt",
        "out/alice/alice.pem",
        "CN=alice",
    ] {
        assert_eq!(kpki.json(&["principal", of, "--json"]), alice, "{of}");
    }
    let out = kpki.ok(&["principal", "alice"]).stdout;
    assert_eq!(
        out,
        format!("User:alice\n  subject CN=alice\n  rule    {CN}\n")
    );
    // Spaces after commas are not in what Java prints.
    let spaced = kpki.json(&["principal", r"CN=a\, b, OU=x,O=y", "--json"]);
    assert_eq!(spaced["subject"], r"CN=a\, b,OU=x,O=y");
}

#[test]
fn a_name_that_kafka_never_prints_is_warned_of() {
    let kpki = Kpki::new();
    for (name, keyword) in [
        ("emailAddress=a@b.c,CN=x", "emailAddress="),
        ("CN=x, cn=y", "cn="),
        ("OU=x+serialNumber=1,O=y", "serialNumber="),
        ("CN = x", "CN ="),
        ("/CN=x", "/CN="),
        ("1.2.840.113549.1.9.1=a@b.c", "1.2.840.113549.1.9.1="),
    ] {
        let said = kpki.ok(&["principal", name, "--rules", "DEFAULT"]);
        let warning = format!("warning: Kafka never prints `{keyword}` in a name");
        assert!(said.stderr.contains(&warning), "{name}: {}", said.stderr);
        assert!(said.stdout.starts_with("User:"), "{}", said.stdout);
    }
    for name in [
        r"CN=a\,b=c\+d=e,OU=x+O=y=z",
        "STREET=a,ST=b,L=c,C=d,DC=e,UID=f",
        "1.2.840.113549.1.9.1=#1605614062,CN=x",
    ] {
        let said = kpki.ok(&["principal", name, "--rules", "DEFAULT"]);
        assert_eq!(said.stderr, "", "{name}");
    }
}

#[test]
fn rules_are_the_brokers() {
    let kpki = Kpki::new();
    let mapped = kpki.json(&[
        "principal",
        "CN=Alice,OU=Apps",
        "--rules",
        "RULE:^CN=(.*?),OU=Apps$/$1/L,DEFAULT",
        "--json",
    ]);
    assert_eq!(mapped["principal"], "User:alice");
    assert_eq!(mapped["rule"], "RULE:^CN=(.*?),OU=Apps$/$1/L");
    let default = kpki.json(&[
        "principal",
        "CN=Alice,OU=Apps",
        "--rules",
        "DEFAULT",
        "--json",
    ]);
    assert_eq!(default["principal"], "User:CN=Alice,OU=Apps");

    let nobody = ["principal", "CN=alice", "--rules", "RULE:^CN=bob$/b/"];
    let json = kpki
        .run(&[&nobody[..], &["--json"]].concat())
        .expect_code(3)
        .json();
    assert_eq!(
        json,
        json!({"subject": "CN=alice", "principal": null, "rule": null})
    );
    let text = kpki.run(&nobody).expect_code(3);
    assert!(
        text.stderr.contains("no rule matches CN=alice"),
        "{}",
        text.stderr
    );

    for (arguments, code, exit) in [
        (["principal", "CN=a", "--rules", "RULE:CN"], "bad-rules", 2),
        (
            ["principal", "nobody", "--rules", "DEFAULT"],
            "identity-unknown",
            1,
        ),
    ] {
        let error = kpki
            .run(&[&arguments[..], &["--json"]].concat())
            .expect_code(exit)
            .json();
        assert_eq!(error["error"]["code"], code);
    }
    kpki.write("x.pem", "no certificate");
    let error = kpki
        .run(&["principal", "x.pem", "--json"])
        .expect_code(1)
        .json();
    assert_eq!(error["error"]["code"], "bad-certificate");
}

#[test]
fn identities_without_a_certificate_here_have_a_principal_as_well() {
    let kpki = Kpki::new();
    kpki.write(
        "p.yaml",
        "brokers: [{name: kafka1}]\nclients: [{name: cons, auth: scram-sha-512}, {name: new, key: external}]\n",
    );
    kpki.ok(&["up", "p.yaml"]);
    kpki.ok(&["issue", "far", "--csr-only", "--out", "there"]);
    kpki.ok(&["sign", "there/far/far.csr"]);
    let far = json!({"subject": "CN=far", "principal": "User:far", "rule": CN});
    assert_eq!(kpki.json(&["principal", "far", "--json"]), far);
    let cons = json!({"subject": null, "principal": "User:cons", "rule": null});
    assert_eq!(kpki.json(&["principal", "cons", "--json"]), cons);
    let said = kpki.ok(&["principal", "cons"]).stdout;
    assert!(said.starts_with("User:cons\n"), "{said}");
    // It has no certificate yet, but its name says which it will have.
    let said = kpki.ok(&["principal", "new"]).stdout;
    assert!(said.starts_with("User:new\n"), "{said}");
}

#[test]
fn rules_that_make_two_clients_one_are_an_error_of_the_policy() {
    let kpki = Kpki::new();
    kpki.write(
        "p.yaml",
        "cluster: {principal_mapping_rules: ['RULE:^CN=([a-zA-Z0-9.]*).*$/$1/']}\nclients: [{name: app-1}, {name: app-2}]\n",
    );
    let error = kpki
        .run(&["policy", "check", "p.yaml", "--json"])
        .expect_code(2)
        .json();
    let diagnostic = &error["error"]["diagnostics"][0];
    assert_eq!(diagnostic["code"], "shared-principal");
    assert_eq!(
        diagnostic["message"],
        "`app-1` and `app-2` would have the same principal, User:app, and so the same rights"
    );
    // A lint finds it as well.
    let found = kpki
        .run(&["acl", "lint", "p.yaml", "--json"])
        .expect_code(3)
        .json();
    assert_eq!(found["findings"][0]["code"], "shared-principal");
}
