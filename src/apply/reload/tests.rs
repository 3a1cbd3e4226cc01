use rustls_pki_types::CertificateDer;

use super::{
    settings::{LOCATION, MOST_THREADS},
    *,
};
use crate::admin::ConfigEntry;

fn settings(lines: &[(&str, &str, bool)]) -> Settings {
    let entry = |(name, value, dynamic): &(&str, &str, bool)| {
        let entry = ConfigEntry {
            name: (*name).to_owned(),
            value: Some((*value).to_owned()),
            dynamic: *dynamic,
        };
        ((*name).to_owned(), entry)
    };
    Settings(lines.iter().map(entry).collect())
}

#[test]
fn listeners_with_tls_are_found_with_their_addresses() {
    let of = |listeners, advertised| {
        let fixed = false;
        settings(&[
            ("listeners", listeners, fixed),
            ("advertised.listeners", advertised, fixed),
            (
                "listener.security.protocol.map",
                "IN:SSL,OUT:SASL_SSL,PLAIN:PLAINTEXT,C:SSL",
                fixed,
            ),
            ("controller.listener.names", "C", fixed),
        ])
        .listeners()
    };
    let found = of(
        "IN://:1,OUT://:2,PLAIN://:3,C://:4",
        "IN://a:1,OUT://[::1]:2,PLAIN://a:3",
    );
    let found: Vec<_> = found.iter().map(|(n, a, c)| (&**n, &**a, *c)).collect();
    assert_eq!(found, [("IN", "a:1", false), ("OUT", "[::1]:2", false)]);
    assert_eq!(of("C://10.0.0.1:4", "")[0].1, "10.0.0.1:4");
    let by_protocol = settings(&[("listeners", "SSL://a:1", false)]);
    assert_eq!(by_protocol.listeners().len(), 1);
}

#[test]
fn a_listener_is_as_new_as_its_slowest_thread() {
    let make = || {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["kafka1".to_owned()]).unwrap();
        params.self_signed(&key).unwrap().der().clone()
    };
    let (old, new) = (make(), make());
    let certificate = Certificate::from_der(&new).unwrap();
    let wanted = Wanted {
        name: "kafka1",
        id: 1,
        certificate: &certificate,
        root: &Name::default(),
        trusted: &BTreeSet::new(),
    };
    let shown = |threads: usize, chain: &[&CertificateDer<'static>]| {
        let mut answers = chain.iter();
        let served = ask_all(&wanted, threads, || {
            let leaf = answers.next().ok_or(ProbeError::Silent)?;
            Ok(Served {
                chain: vec![(*leaf).clone()],
                protocol: "TLSv1.3",
                cipher: String::new(),
                client_authorities: None,
                proved: true,
            })
        });
        served.map(|served| lacks(&wanted, &served).is_none()).ok()
    };
    assert_eq!(shown(3, &[&new, &new, &new]), Some(true));
    assert_eq!(shown(3, &[&new, &new, &old]), Some(false));
    assert_eq!(shown(3, &[&old]), Some(false));
    assert_eq!(shown(3, &[&new, &new]), None);
    let threads = |lines: &[(&str, &str, bool)]| settings(lines).threads("IN");
    let general = ("num.network.threads", "8", false);
    assert_eq!(threads(&[]), 3);
    assert_eq!(threads(&[general]), 8);
    let own = ("listener.name.in.num.network.threads", "2", true);
    assert_eq!(threads(&[general, own]), 2);
    assert_eq!(
        threads(&[("num.network.threads", "100000", false)]),
        MOST_THREADS
    );
}

#[test]
fn a_path_that_somebody_chose_while_it_ran_stays() {
    let general = (LOCATION, "/a.p12", false);
    let own = |path, dynamic| {
        settings(&[
            general,
            ("listener.name.in.ssl.keystore.location", path, dynamic),
        ])
        .store("IN")
    };
    let store = |path: &str, stays, is_set| {
        Some(Store {
            path: path.to_owned(),
            stays,
            is_set,
        })
    };
    assert_eq!(
        settings(&[general]).store("IN"),
        store("/a.p12", false, false)
    );
    assert_eq!(own("/b.p12", false), store("/b.p12", false, false));
    assert_eq!(own("/b.p12", true), store("/b.p12", true, true));
    // A setting left by an interrupted reload.
    assert_eq!(own("/a.p12", true), store("/a.p12", false, true));
    assert_eq!(settings(&[]).store("IN"), None);
}
