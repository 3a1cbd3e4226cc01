//! Requests that somebody made to get more than they should, or to break whoever reads them.

use std::time::{Duration, Instant};

use kpki::pki::{
    Asked, AuthorityRequest, Certificate, Csr, KeyAlgorithm, Kind, Serial, self_signed,
};
use rcgen::{KeyPair, PublicKeyData, SigningKey};

/// A value with its tag and length (DER).
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let len = content.len();
    let mut out = vec![tag];
    match len {
        0..=127 => out.push(len as u8),
        128..=255 => out.extend([0x81, len as u8]),
        256..=65535 => out.extend([0x82, (len >> 8) as u8, len as u8]),
        _ => out.extend([0x83, (len >> 16) as u8, (len >> 8) as u8, len as u8]),
    }
    out.extend(content);
    out
}

fn seq(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

const CN: &[u8] = &[0x06, 3, 0x55, 4, 3];
const EXTENSION_REQUEST: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 14];
const ECDSA_SHA256: &[u8] = &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const SAN: &[u8] = &[0x06, 3, 0x55, 0x1d, 0x11];
const BASIC: &[u8] = &[0x06, 3, 0x55, 0x1d, 0x13];
const USAGE: &[u8] = &[0x06, 3, 0x55, 0x1d, 0x0f];
const UNKNOWN: &[u8] = &[0x06, 3, 0x55, 0x1d, 0x7f];

/// What a request is made of, each part as DER.
struct Parts {
    version: Vec<u8>,
    subject: Vec<u8>,
    key: Vec<u8>,
    attributes: Vec<u8>,
    algorithm: Vec<u8>,
}

fn cn(tag: u8, text: &[u8]) -> Vec<u8> {
    tlv(0x31, &seq(&[CN, &tlv(tag, text)]))
}

fn extension(oid: &[u8], value: &[u8]) -> Vec<u8> {
    seq(&[oid, &tlv(0x04, value)])
}

fn asking(extensions: &[Vec<u8>]) -> Vec<u8> {
    seq(&[EXTENSION_REQUEST, &tlv(0x31, &seq(&[&extensions.concat()]))])
}

fn names(names: &[Vec<u8>]) -> Vec<u8> {
    asking(&[extension(SAN, &seq(&[&names.concat()]))])
}

fn dns(text: &[u8]) -> Vec<u8> {
    tlv(0x82, text)
}

/// One inside the other, so many times.
fn nested(tag: u8, depth: usize) -> Vec<u8> {
    (0..depth).fold(Vec::new(), |inner, _| tlv(tag, &inner))
}

struct Bench {
    key: KeyPair,
    ca: Certificate,
    made: usize,
}

impl Bench {
    fn parts(&self) -> Parts {
        Parts {
            version: tlv(0x02, &[0]),
            subject: seq(&[&cn(0x0c, b"kafka1")]),
            key: self.key.subject_public_key_info(),
            attributes: names(&[dns(b"kafka1.example.com")]),
            algorithm: seq(&[ECDSA_SHA256]),
        }
    }

    /// The request of these parts, signed with the key.
    fn signed(&self, parts: &Parts) -> Vec<u8> {
        let attributes = tlv(0xa0, &parts.attributes);
        let info = seq(&[&parts.version, &parts.subject, &parts.key, &attributes]);
        let signature = self.key.sign(&info).unwrap();
        seq(&[
            &info,
            &parts.algorithm,
            &tlv(0x03, &[&[0], &signature[..]].concat()),
        ])
    }

    /// What is wrong with it; nothing, where it would be signed.
    fn problems(&mut self, der: &[u8]) -> String {
        self.made += 1;
        let begin = Instant::now();
        let asked = Asked {
            name: None,
            kind: Kind::Broker,
            hosts: None,
            days: 30,
        };
        let said = match Csr::from_der(der) {
            Err(problem) => problem.to_string(),
            Ok(csr) => match csr.approve(asked, &self.ca, &[&self.ca]) {
                Ok(_) => String::new(),
                Err(problems) => problems.iter().map(|p| format!("{p}\n")).collect(),
            },
        };
        assert!(
            begin.elapsed() < Duration::from_secs(2),
            "it took {:?}",
            begin.elapsed()
        );
        assert!(said.len() < 40_000, "{} octets are said", said.len());
        said
    }

    fn refused(&mut self, what: &str, der: &[u8]) {
        let said = self.problems(der);
        assert!(!said.is_empty(), "{what} is signed");
    }

    fn refused_with(&mut self, what: &str, change: impl FnOnce(&mut Parts)) {
        let mut parts = self.parts();
        change(&mut parts);
        let der = self.signed(&parts);
        self.refused(what, &der);
    }
}

fn bench() -> Bench {
    let key = KeyAlgorithm::EcdsaP256.generate().unwrap();
    let request = AuthorityRequest {
        subject: &"CN=CA".parse().unwrap(),
        days: 10,
        path_len: 0,
        name_constraints: &[],
        serial: Serial::from_random([7; 20]),
        now: time::OffsetDateTime::now_utc(),
    };
    let ca = self_signed(&request, &key).unwrap();
    Bench {
        key: KeyAlgorithm::EcdsaP256.generate().unwrap(),
        ca: Certificate::from_der(&ca).unwrap(),
        made: 0,
    }
}

#[test]
fn requests_that_ask_for_more_are_refused_whatever_they_are_made_of() {
    let mut bench = bench();
    let good = bench.signed(&bench.parts());
    assert_eq!(bench.problems(&good), "");

    // What it names.
    let long = [
        b"a".repeat(60),
        b"b".repeat(60),
        b"c".repeat(60),
        b"d".repeat(60),
        b"e".repeat(60),
    ]
    .join(&b'.');
    for name in [
        &b"*.example.com"[..],
        b"*",
        b"*.com",
        b"a*.example.com",
        b"a.*.com",
        b"",
        b".",
        b"a.",
        b".a",
        b"a..b",
        b"kafka1\0.evil.com",
        b"kafka1\n",
        b"a b",
        b"a_b",
        b"-a",
        b"a-",
        b"10.0.0.1",
        b"::1",
        b"[::1]",
        b"123",
        b"1.2.3",
        b"a:9093",
        b"http://a",
        b"a/b",
        b"a@b",
        b"k\xc3\xa4fka",
        b"\xff\xfe",
        b"xn--",
        b"..",
        b"../ca",
        &b"x".repeat(64),
        &long,
        &b"x".repeat(60_000),
    ] {
        bench.refused_with("a DNS name", |p| p.attributes = names(&[dns(name)]));
        bench.refused_with("a DNS name beside a good one", |p| {
            p.attributes = names(&[dns(b"a"), dns(name)])
        });
    }
    for octets in [
        &[][..],
        &[0; 4],
        &[0; 16],
        &[1; 3],
        &[1; 5],
        &[10, 0, 0, 0, 255, 0, 0, 0],
        &[1; 15],
        &[1; 17],
        &[1; 32],
        &[224, 0, 0, 1],
        &[255; 16],
    ] {
        bench.refused_with("an address", |p| p.attributes = names(&[tlv(0x87, octets)]));
    }
    let other = [&[0x06, 3, 0x2a, 3, 4][..], &tlv(0xa0, &tlv(0x0c, b"a"))].concat();
    for name in [
        tlv(0x81, b"a@example.com"),
        tlv(0x86, b"https://example.com"),
        tlv(0x86, b"spiffe://a/b"),
        tlv(0x88, &[0x2a, 3]),
        tlv(0xa0, &other),
        tlv(0xa3, b"x"),
        tlv(0xa4, &seq(&[&cn(0x0c, b"a")])),
        tlv(0xa5, b"x"),
        tlv(0x89, b"x"),
        tlv(0x02, &[1]),
    ] {
        bench.refused_with("a name of another kind", |p| p.attributes = names(&[name]));
    }
    for count in [101, 2000] {
        let many: Vec<Vec<u8>> = (0..count)
            .map(|n| dns(format!("h{n}.example.com").as_bytes()))
            .collect();
        bench.refused_with("too many names", |p| p.attributes = names(&many));
    }
    bench.refused_with("no name", |p| p.attributes = names(&[]));
    bench.refused_with("no extensions", |p| p.attributes = Vec::new());
    bench.refused_with("names twice", |p| {
        let san = extension(SAN, &seq(&[&dns(b"a")]));
        p.attributes = asking(&[san.clone(), san]);
    });
    bench.refused_with("names in two attributes", |p| {
        p.attributes = [names(&[dns(b"a")]), names(&[dns(b"b")])].concat()
    });

    // What it wants to be.
    let san = extension(SAN, &seq(&[&dns(b"a")]));
    for (oid, value) in [
        (BASIC, seq(&[&tlv(0x01, &[0xff])])),
        (BASIC, seq(&[&tlv(0x01, &[0xff]), &tlv(0x02, &[0])])),
        (BASIC, seq(&[&tlv(0x01, &[0xff]), &tlv(0x02, &[0x7f; 40])])),
        (BASIC, b"garbage".to_vec()),
        (BASIC, nested(0x30, 5000)),
        (USAGE, vec![0x03, 2, 2, 0x04]),
        (USAGE, vec![0x03, 2, 1, 0x06]),
        (USAGE, vec![0x03, 2, 1, 0x02]),
        (USAGE, b"garbage".to_vec()),
        (SAN, nested(0x30, 5000)),
        (SAN, b"garbage".to_vec()),
        (SAN, vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff]),
        (SAN, vec![0x30, 0x80, 0x82, 1, 0x61, 0, 0]),
    ] {
        let value = extension(oid, &value);
        bench.refused_with("an extension", |p| {
            p.attributes = asking(&[san.clone(), value.clone()])
        });
        bench.refused_with("an extension in an attribute of its own", |p| {
            p.attributes = [asking(std::slice::from_ref(&san)), asking(&[value])].concat();
        });
    }
    // Unknown ones are not taken, however they are made.
    for value in [
        b"garbage".to_vec(),
        nested(0x30, 5000),
        vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
    ] {
        let mut parts = bench.parts();
        parts.attributes = asking(&[san.clone(), extension(UNKNOWN, &value)]);
        let der = bench.signed(&parts);
        assert_eq!(bench.problems(&der), "");
    }

    // Whom it is for.
    for name in [
        &b""[..],
        b"ca",
        b"CA",
        b"data",
        b"Backup",
        b"a/b",
        b"../x",
        b"..",
        b".",
        b".hidden",
        b"-rf",
        b"a b",
        b"a,O=b",
        b"a\0b",
        b"a\nb",
        b"k\xc3\xa4fka",
        b"\xff",
        b"\x1b[2J",
        &b"x".repeat(65),
        &b"x".repeat(60_000),
    ] {
        bench.refused_with("a CN", |p| p.subject = seq(&[&cn(0x0c, name)]));
    }
    bench.refused_with("a CN of UTF-16", |p| {
        p.subject = seq(&[&cn(0x1e, b"\0k\0a")])
    });
    bench.refused_with("no subject", |p| p.subject = seq(&[]));
    bench.refused_with("two CNs", |p| {
        p.subject = seq(&[&cn(0x0c, b"a"), &cn(0x0c, b"a")])
    });
    bench.refused_with("two CNs at once", |p| {
        let one = seq(&[CN, &tlv(0x0c, b"a")]);
        p.subject = seq(&[&tlv(0x31, &[one.clone(), one].concat())]);
    });
    bench.refused_with("a thousand CNs", |p| {
        p.subject = seq(&[&cn(0x0c, b"a").repeat(1000)])
    });
    bench.refused_with("a deep subject", |p| p.subject = nested(0x30, 5000));

    // How it is made.
    for version in [
        tlv(0x02, &[1]),
        tlv(0x02, &[2]),
        tlv(0x02, &[0xff]),
        tlv(0x02, &[0x7f; 300]),
        tlv(0x02, &[]),
        tlv(0x05, &[]),
    ] {
        bench.refused_with("a version", |p| p.version = version);
    }
    for attributes in [
        nested(0x30, 5000),
        vec![0x30, 0x84, 0x7f, 0xff, 0xff, 0xff],
        b"garbage".to_vec(),
        seq(&[EXTENSION_REQUEST, &seq(&[])]),
        seq(&[EXTENSION_REQUEST, &tlv(0x31, b"x")]),
    ] {
        bench.refused_with("attributes", |p| p.attributes = attributes);
    }
    for der in [
        nested(0x30, 20_000),
        nested(0xa0, 20_000),
        vec![0x30; 60_000],
        vec![0x30, 0x80],
        vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
        Vec::new(),
    ] {
        bench.refused("a bomb", &der);
    }
    println!("{} requests", bench.made);
    assert!(bench.made >= 120);
}

#[test]
fn keys_and_signatures_that_prove_nothing_are_refused() {
    let mut bench = bench();
    let good = bench.parts();
    let curve = |oid: &[u8], len: usize| {
        let ec = [0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
        seq(&[
            &seq(&[&ec, oid]),
            &tlv(0x03, &[&[0, 4], &[7; 200][..len]].concat()),
        ])
    };
    let p256 = [0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    let rsa = |modulus: &[u8], exponent: &[u8]| {
        let oid = [0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
        let key = seq(&[&tlv(0x02, modulus), &tlv(0x02, exponent)]);
        seq(&[&seq(&[&oid]), &tlv(0x03, &[&[0], &key[..]].concat())])
    };
    let modulus = |len: usize| [&[0][..], &vec![0xcb; len]].concat();
    for (what, key) in [
        ("a point that is not on its curve", curve(&p256, 64)),
        ("a point of another curve", curve(&p256, 96)),
        ("no point", curve(&p256, 0)),
        (
            "the point at infinity",
            seq(&[
                &seq(&[&[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1], &p256]),
                &tlv(0x03, &[0, 0]),
            ]),
        ),
        ("P-521", curve(&[0x06, 5, 0x2b, 0x81, 4, 0, 0x23], 132)),
        ("secp256k1", curve(&[0x06, 5, 0x2b, 0x81, 4, 0, 0x0a], 64)),
        (
            "brainpoolP256r1",
            curve(&[0x06, 9, 0x2b, 0x24, 3, 3, 2, 8, 1, 1, 7], 64),
        ),
        ("a curve of its own", curve(&nested(0x30, 1000), 64)),
        (
            "Ed25519",
            seq(&[&seq(&[&[0x06, 3, 0x2b, 0x65, 0x70]]), &tlv(0x03, &[0; 33])]),
        ),
        (
            "DSA",
            seq(&[
                &seq(&[&[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1]]),
                &tlv(0x03, &[0; 33]),
            ]),
        ),
        ("RSA of 512 bits", rsa(&modulus(64), &[1, 0, 1])),
        ("RSA of 1024 bits", rsa(&modulus(128), &[1, 0, 1])),
        (
            "RSA of 2047 bits",
            rsa(&[&[0x7f][..], &[0xcb; 255]].concat(), &[1, 0, 1]),
        ),
        ("RSA of 2056 bits", rsa(&modulus(257), &[1, 0, 1])),
        ("RSA of 16384 bits", rsa(&modulus(2048), &[1, 0, 1])),
        ("RSA of 300,000 bits", rsa(&modulus(40_000), &[1, 0, 1])),
        ("an exponent of 3", rsa(&modulus(256), &[3])),
        ("an exponent of 1", rsa(&modulus(256), &[1])),
        ("an exponent of 0", rsa(&modulus(256), &[0])),
        ("an even exponent", rsa(&modulus(256), &[1, 0, 0])),
        ("a huge exponent", rsa(&modulus(256), &[0x7f; 250])),
        ("a negative modulus", rsa(&[0xcb; 256], &[1, 0, 1])),
        ("no modulus", rsa(&[], &[1, 0, 1])),
        ("a modulus of zeros", rsa(&[0; 257], &[1, 0, 1])),
        (
            "an even modulus",
            rsa(&[&modulus(255)[..], &[2]].concat(), &[1, 0, 1]),
        ),
        ("no key", seq(&[])),
        ("a deep key", nested(0x30, 5000)),
    ] {
        bench.refused_with(what, |p| p.key = key);
    }
    let key = bench.ca.public_key_info.clone();
    bench.refused_with("the key of the CA", |p| p.key = key);
    for (what, oid) in [
        ("SHA-1", &[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1][..]),
        (
            "SHA-384 that is none",
            &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3],
        ),
        (
            "RSA with SHA-256",
            &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11],
        ),
        (
            "RSA with SHA-1",
            &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5],
        ),
        (
            "RSA with MD5",
            &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4],
        ),
        ("Ed25519", &[0x06, 3, 0x2b, 0x65, 0x70]),
        ("nothing", &[0x06, 1, 0]),
    ] {
        bench.refused_with(what, |p| p.algorithm = seq(&[oid]));
    }
    let der = bench.signed(&good);
    let info = {
        let attributes = tlv(0xa0, &good.attributes);
        seq(&[&good.version, &good.subject, &good.key, &attributes])
    };
    let other = KeyAlgorithm::EcdsaP256.generate().unwrap();
    let zero = seq(&[&tlv(0x02, &[0]), &tlv(0x02, &[0])]);
    let foreign = other.sign(&info).unwrap();
    for signature in [
        &[][..],
        &[0; 64],
        &zero,
        &foreign,
        &vec![7; 50_000],
        &nested(0x30, 3000),
    ] {
        let bits = tlv(0x03, &[&[0], signature].concat());
        bench.refused("a signature", &seq(&[&info, &good.algorithm, &bits]));
    }
    bench.refused("no signature", &seq(&[&info, &good.algorithm]));
    bench.refused("bytes behind it", &[&der[..], b"x"].concat());
    bench.refused("itself twice", &[&der[..], &der[..]].concat());
    assert!(bench.made >= 40);
}
