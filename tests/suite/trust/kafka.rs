//! The truststore of a real broker's CA, used by Kafka's own client; and JKS stores, named by a client's properties.

use crate::support::{
    java::{Client, judge},
    one_broker::OneBroker,
};

use super::*;

const CLIENTS: &str = "clients:
  - {name: admin}
  - {name: alice, roles: [produce: {topic: orders}]}
";

#[test]
fn what_is_fetched_from_a_broker_lets_a_producer_in() {
    let Some(judge) = judge() else { return };
    let Some(cluster) = OneBroker::start(CLIENTS) else {
        return;
    };
    let kpki = &cluster.kpki;
    let admin = cluster.out("admin/client.properties");
    judge
        .create_topic(&Client::new(&admin), "orders", 1, 1)
        .unwrap();
    kpki.ok(&["acl", "apply", "policy.yaml"]);
    let properties = std::fs::read_to_string(cluster.out("alice/client.properties")).unwrap();
    let value = |key: &str| {
        let line = properties
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{key}=")));
        line.unwrap().to_owned()
    };
    let endpoint = value("bootstrap.servers");
    // A broker sends no root: its own certificate is what there is, and that is said.
    let taken = kpki.ok(&[
        "trust",
        "fetch",
        &endpoint,
        "--yes",
        "--out-file",
        "fetched.p12",
    ]);
    assert!(
        taken
            .stderr
            .contains("does not send the certificate of its CA"),
        "{}",
        taken.stderr
    );
    assert!(
        taken.stderr.contains("it asks for a client certificate"),
        "{}",
        taken.stderr
    );
    let root = list(kpki, "out/ca/ca.crt")["entries"][0]["fingerprint"].clone();
    let wrong = kpki.run(&[
        "trust",
        "fetch",
        &endpoint,
        "--expect-fingerprint",
        root.as_str().unwrap(),
        "--json",
    ]);
    assert_eq!(wrong.json()["error"]["code"], "fingerprint-mismatch");

    // In the place of the truststore that kpki made; then everything as JKS.
    let path = |file: &str| kpki.path(file).display().to_string();
    let password = value("ssl.keystore.password");
    kpki.write("password", &password);
    kpki.set_mode("password", 0o600);
    let keystore = value("ssl.keystore.location");
    let convert = |from: &str, to: &str| {
        kpki.ok(&[
            "store",
            "convert",
            from,
            "--to",
            "jks",
            "--out-file",
            to,
            "--password-file",
            "password",
        ]);
    };
    convert(&keystore, "alice.jks");
    let fetched = [
        ("ssl.truststore.location", path("fetched.p12")),
        ("ssl.truststore.password", "changeit".to_owned()),
        ("ssl.truststore.type", "PKCS12".to_owned()),
    ];
    let jks = [
        ("ssl.keystore.location", path("alice.jks")),
        ("ssl.keystore.type", "JKS".to_owned()),
        ("ssl.truststore.location", path("fetched.p12")),
        ("ssl.truststore.password", "changeit".to_owned()),
        ("ssl.truststore.type", "PKCS12".to_owned()),
    ];
    let alice = cluster.out("alice/client.properties");
    for changes in [&fetched[..], &jks] {
        let overrides: Vec<(&str, &str)> = changes.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let client = Client {
            properties: &alice,
            overrides: &overrides,
        };
        judge.produce(&client, "orders", 1).unwrap();
    }

    // kpki itself as the admin, with JKS stores of keytool's make: one of them has a key with a password of its own.
    let admin_properties = std::fs::read_to_string(&admin).unwrap();
    let of_admin = |key: &str| {
        let line = admin_properties
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{key}=")));
        line.unwrap().to_owned()
    };
    let (keystore, truststore) = (
        of_admin("ssl.keystore.location"),
        of_admin("ssl.truststore.location"),
    );
    let import = |from: &str, from_password: &str, to: &str, more: &[&str]| {
        let import = [
            "-importkeystore",
            "-srckeystore",
            from,
            "-srcstorepass",
            from_password,
        ];
        let into = [
            "-destkeystore",
            to,
            "-deststoretype",
            "JKS",
            "-deststorepass",
            "store password",
        ];
        keytool(kpki.dir(), &[&import, &into[..], more].concat())
            .unwrap()
            .unwrap();
    };
    let own_key = ["-srcalias", "admin", "-destkeypass", "key password"];
    import(
        &keystore,
        &of_admin("ssl.keystore.password"),
        "admin.jks",
        &own_key,
    );
    import(
        &truststore,
        &of_admin("ssl.truststore.password"),
        "trust.jks",
        &[],
    );
    let text = format!(
        "bootstrap.servers={endpoint}\nsecurity.protocol=SSL\nssl.keystore.location={}\nssl.keystore.password=store password\nssl.key.password=key password\nssl.truststore.location={}\n",
        path("admin.jks"),
        path("trust.jks"),
    );
    kpki.write("jks.properties", &text);
    let exported = kpki.ok(&["acl", "export", "--command-config", "jks.properties"]);
    assert!(
        exported.stdout.contains("User:alice"),
        "{}",
        exported.stdout
    );
    kpki.write(
        "half.properties",
        &text.replace("ssl.key.password=key password\n", ""),
    );
    let failed = kpki
        .run(&["acl", "export", "--command-config", "half.properties"])
        .expect_code(1);
    assert!(
        failed
            .stderr
            .contains("the key has a different password from the store"),
        "{}",
        failed.stderr
    );
    assert!(
        failed.stderr.contains("set ssl.key.password"),
        "{}",
        failed.stderr
    );
}
