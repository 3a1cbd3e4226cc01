//! librdkafka opens the stores that it is said to read, and no others. It does so before it connects.

use rdkafka::{config::ClientConfig, consumer::BaseConsumer};

use super::*;

#[test]
fn librdkafka_reads_what_it_is_said_to_read() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.ok(&["issue", "kafka1", "--host", "localhost"]);
    let own = std::fs::read_to_string(kpki.path("out/kafka1/keystore_creds")).unwrap();
    let own = own.trim_end();
    let settings = std::fs::read_to_string(kpki.path("out/kafka1/server.properties")).unwrap();
    let mut settings = settings.lines();
    let trust = settings.find_map(|line| line.strip_prefix("ssl.truststore.password="));
    let in_out = |file: &str| kpki.path(file).display().to_string();
    let mut stores = vec![
        (in_out("out/kafka1/kafka1.keystore.p12"), own),
        (in_out("out/kafka1/kafka1.truststore.p12"), trust.unwrap()),
    ];
    for file in [
        "python.p12",
        "python-java-truststore.p12",
        "go-legacy.p12",
        "bouncycastle.p12",
        "bouncycastle-aes.p12",
        "go-pbmac1.p12",
        "own-key-password.p12",
        "small.jks",
        "small.jceks",
    ] {
        stores.push((made(file).display().to_string(), PASSWORD));
    }
    for (file, password) in stores {
        let report = inspect(&kpki, &file, password);
        let made: Result<BaseConsumer, _> = ClientConfig::new()
            .set("bootstrap.servers", "127.0.0.1:1")
            .set("group.id", "nobody")
            .set("security.protocol", "ssl")
            .set("ssl.keystore.location", &file)
            .set("ssl.keystore.password", password)
            .create();
        let expected = report["readable"]["librdkafka"].as_bool().unwrap();
        let says = made.as_ref().err().map(ToString::to_string);
        // The one that it is built with here is newer than 3.4.
        let expected = expected || file.ends_with("go-pbmac1.p12");
        assert_eq!(made.is_ok(), expected, "{file}: {says:?}");
    }
}
