//! Certificate names and their mapping to principals, beside Java's and Kafka's own.

use base64::Engine;
use kpki::pki::principal::{MapError, MappingRules, RuleError};
use kpki::pki::{PatternError, never_printed, rfc2253};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use crate::support::java::{Judge, judge};
use crate::support::random::values;

/// Asks Kafka and kpki for the same. False where kpki declined to answer.
fn compare(judge: &Judge, rules: &str, dn: &str) -> bool {
    let kafka = judge.principal(rules, dn);
    let parsed = match MappingRules::from_property(rules) {
        Ok(parsed) => parsed,
        Err(RuleError::Pattern {
            source: PatternError::Unsupported { .. } | PatternError::Engine,
            ..
        }) => return false,
        // Kafka fails only when it comes to use the rule.
        Err(RuleError::Replacement { .. }) if rules.contains(',') => return false,
        Err(error) => {
            assert!(kafka.is_err(), "{rules:?} {dn:?}: {error}, but {kafka:?}");
            return true;
        }
    };
    match parsed.apply(dn) {
        Ok(mapped) => match kafka {
            Ok(name) => assert_eq!(mapped.name, name, "{rules:?} {dn:?}"),
            Err(error) => panic!("{rules:?} {dn:?}: {mapped:?}, but {error:?}"),
        },
        Err(MapError::NoRule { .. }) => {
            let error = kafka.expect_err(rules);
            assert_eq!(error.class, "NoMatchingRule", "{rules:?} {dn:?} {error:?}");
        }
        Err(MapError::Unsure { .. }) => return false,
    }
    true
}

#[test]
fn rules_that_people_write_map_as_in_kafka() {
    let Some(judge) = judge() else { return };
    let rules = [
        "DEFAULT",
        "",
        "RULE:^CN=([^,]+).*$/$1/,DEFAULT",
        "RULE:^CN=(.*?),.*$/$1/L,DEFAULT",
        "RULE:^CN=(.*),OU=ServiceUsers.*$/$1/L, RULE:^CN=(.*),OU=(.*),O=(.*),L=(.*),ST=(.*),C=(.*)$/$1@$2/U ,DEFAULT",
        r"RULE:^.*[Cc][Nn]=([a-zA-Z0-9.]*).*$/$1/L,DEFAULT",
        r"RULE:^(?i)cn=(\w+).*/$1/",
        r"RULE:^CN=([^/]+)\/(.*)$/$1\/$2/",
        r"RULE:^CN=(?<user>[a-z]++)[0-9]*,?.*$/${user}-$0/",
        r"RULE:(.*)/u-$1/",
        r"RULE:^(?!.*OU=Test)CN=(.*?)(?:,.*)?$/$1/",
        r"RULE:.*1.2.840.113549.1.9.1=#([0-9a-f]+).*/$1/U",
        r"RULE:^CN=(.*),OU=(.*)$/$1$5/",
        r"RULE:a/b",
        r"RULE:a/b/X",
        r"DEFAULT DEFAULT",
        r"RULE:^CN=(\S+)\s\S+.*$/$1/U,RULE:.*/nobody/",
    ];
    let names = [
        "CN=kafka1",
        "CN=Kafka-1.example.com,OU=ServiceUsers,O=Example,C=DE",
        "CN=Duke,OU=JavaSoft,O=Sun Microsystems,L=Here,ST=There,C=US",
        r"CN=a\,b,O=x",
        "CN=host/kafka,O=x",
        "O=x,cn=Lower_1",
        "1.2.840.113549.1.9.1=#1603784079,CN=mail",
        "CN=Zoë İstanbul ß,OU=Test",
        "CN=\u{1f600}a\n",
        "",
    ];
    for rules in rules {
        for name in names {
            assert!(compare(judge, rules, name), "{rules} is not supported");
        }
    }
}

fn pattern() -> impl Strategy<Value = String> {
    let leaf = select(vec![
        "a", "b", "A", "k", "é", ",", "=", "-", "]", "}", "&", ".", "^", "$", "CN=", r"\.", r"\d",
        r"\D", r"\w", r"\W", r"\s", r"\S", r"\A", r"\z", r"\Z", r"\1", r"\2", r"\x41", r"\u00e9",
        r"\t", "[ab]", "[^,]", "[^,]+", ".*", ".*?", "(.*)", "([^,]+)", "[a-c]", r"[^\w]",
        r"[\W1]", "[Z-a]", "[A-Z,-]", "[+--]", "(?i)", "(?-i)", "(?s)", "", "é?", "(", ")", "*",
        "{2", "\\",
    ]);
    let leaf = leaf.prop_map(str::to_owned);
    leaf.prop_recursive(4, 16, 4, |inner| {
        let open = select(vec![
            "(", "(?:", "(?=", "(?!", "(?>", "(?i:", "(?s-i:", "(?<n>", "(",
        ]);
        let times = select(vec![
            "", "?", "*", "+", "{2}", "{1,2}", "{0,}", "??", "*?", "+?", "{2}?", "?+", "*+", "++",
        ]);
        let group = (open, inner.clone(), times.clone());
        prop_oneof![
            3 => group.prop_map(|(open, inner, times)| format!("{open}{inner}){times}")),
            1 => (inner.clone(), times).prop_map(|(inner, times)| format!("{inner}{times}")),
            2 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}|{b}")),
            3 => proptest::collection::vec(inner, 2..4).prop_map(|parts| parts.concat()),
        ]
    })
}

fn rules() -> impl Strategy<Value = String> {
    let replacement = select(vec![
        "$1", "$2", "$0", "$12", "$3", "$01", "a", "B", r"\$", r"\\", "${n}", "$", "é", "", "-",
        r"\/",
    ]);
    let replacement = proptest::collection::vec(replacement, 0..3).prop_map(|parts| parts.concat());
    let rule = (pattern(), replacement, select(vec!["", "", "L", "U"]));
    let rule = rule
        .prop_map(|(pattern, replacement, case)| format!("RULE:{pattern}/{replacement}/{case}"));
    let rule = prop_oneof![12 => rule, 1 => "[ ,]*DEFAULT ?", 1 => r"RULE:[a/\\, ]{0,4}[LU]?"];
    proptest::collection::vec(rule, 1..3).prop_map(|rules| rules.join(","))
}

fn dn() -> impl Strategy<Value = String> {
    prop_oneof![
        5 => "[abA,=k]{0,5}",
        2 => "[abAB1,=é \n\u{2028}Kkſ\u{212a}\r]{0,6}",
        1 => "(CN=[abk1 ]{1,3})?(,O=[ab]{1,3})?",
        1 => "[a\u{1f600}İΣßǅ]{0,4}",
    ]
}

#[test]
fn random_rules_map_as_in_kafka() {
    let Some(judge) = judge() else { return };
    let cases = 20_000;
    let answered = values((rules(), dn()))
        .take(cases)
        .filter(|(rules, dn)| compare(judge, rules, dn))
        .count();
    assert!(
        answered * 2 > cases,
        "only {answered} of {cases} were answered"
    );
}

/// A DER value; lengths up to 65,535.
fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = match value.len() {
        short @ ..0x80 => vec![short as u8],
        middle @ ..0x100 => vec![0x81, middle as u8],
        long => vec![0x82, (long >> 8) as u8, long as u8],
    };
    [&[tag], &length[..], value].concat()
}

fn attribute() -> impl Strategy<Value = Vec<u8>> {
    let oids: Vec<&[u8]> = vec![
        &[0x55, 4, 3],
        &[0x55, 4, 3],
        &[0x55, 4, 6],
        &[0x55, 4, 7],
        &[0x55, 4, 8],
        &[0x55, 4, 9],
        &[0x55, 4, 10],
        &[0x55, 4, 11],
        &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1],
        &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25],
        // Title, serial number, e-mail address, 2.999.1, 1.3.4294967296.
        &[0x55, 4, 12],
        &[0x55, 4, 5],
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1],
        &[0x88, 0x37, 1],
        &[0x2b, 0x90, 0x80, 0x80, 0x80, 0x00],
    ];
    // Without BMPString and UniversalString, as Java prints them differently since 17.0.21.
    let tags = select(vec![
        0x0c_u8, 0x0c, 0x13, 0x14, 0x16, 0x1b, 0x12, 0x1a, 0x04, 0x03,
    ]);
    let text = prop_oneof![
        4 => "[ a,=+<>#;\"\\\\\r\0é]{0,6}".prop_map(String::into_bytes),
        1 => "\\PC{0,200}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..12),
        1 => proptest::collection::vec(select(vec![b'a', 0xc3, 0xa9, 0xe2, 0x82, 0xed, 0xa0, 0xf0, 0x9f, 0x80]), 0..8),
    ];
    (select(oids), tags, text)
        .prop_map(|(oid, tag, mut text)| {
            // Since then it reads these in their own encodings, and before as UTF-8: the same in ASCII.
            if [0x13, 0x14, 0x16, 0x1b].contains(&tag) {
                text.retain(u8::is_ascii);
            }
            (oid, tag, text)
        })
        .prop_map(|(oid, tag, text)| tlv(0x30, &[tlv(6, oid), tlv(tag, &text)].concat()))
}

#[test]
fn random_names_are_printed_as_in_java() {
    let Some(judge) = judge() else { return };
    let set = proptest::collection::vec(attribute(), 1..3).prop_map(|a| tlv(0x31, &a.concat()));
    let name = proptest::collection::vec(set, 0..5).prop_map(|sets| tlv(0x30, &sets.concat()));
    for der in values(name).take(10_000) {
        let encoded = base64::prelude::BASE64_STANDARD.encode(&der);
        let java: String = judge.ask("x500-name", json!({"der": encoded})).unwrap();
        assert_eq!(rfc2253(&der).as_ref(), Ok(&java), "{der:02x?}");
        assert_eq!(never_printed(&java), None, "{java}");
    }
}

#[test]
fn a_client_whose_request_is_awaited_has_the_principal_of_its_certificate_to_be() {
    let kpki = crate::support::kpki::Kpki::with_open_ca();
    kpki.write("p.yaml", "clients: [{name: ext, key: external}]\n");
    kpki.ok(&["up", "p.yaml"]);
    let said = kpki.json(&["principal", "ext", "--json"]);
    assert_eq!(said["subject"], "CN=ext");
    assert_eq!(said["principal"], "User:ext");
    kpki.run(&["principal", "nobody"]).expect_code(1);
}
