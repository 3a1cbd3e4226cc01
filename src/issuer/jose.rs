//! The keys of step-ca's provisioners: a JSON Web Key encrypted with a password (RFC 7516, RFC 7518 §4.8), and the
//! tokens that it signs (RFC 7519).

use std::num::NonZeroU32;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    digest,
    key_wrap::{AES_128, AesKek, KeyWrap},
    pbkdf2,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm,
    },
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// The encryption of sealed keys; step uses no other.
const ALGORITHM: &str = "PBES2-HS256+A128KW";
const ENCRYPTION: &str = "A256GCM";
/// The maximum number of iterations of a sealed key: step uses 600,000.
const MAX_ITERATIONS: u32 = 5_000_000;

/// Why a provisioner's key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeyError {
    /// It cannot be decrypted.
    #[error("the password does not decrypt its key")]
    WrongPassword,
    /// It is not a sealed key as step makes them.
    #[error("its key cannot be used: {0}")]
    Unusable(String),
}

fn unusable(why: impl Into<String>) -> KeyError {
    KeyError::Unusable(why.into())
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    enc: String,
    p2c: u32,
    p2s: String,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(default)]
    crv: String,
    #[serde(default)]
    x: String,
    #[serde(default)]
    y: String,
    #[serde(default)]
    d: Zeroizing<String>,
}

/// A key that signs tokens.
pub(super) struct TokenKey {
    kid: String,
    alg: &'static str,
    digest: &'static digest::Algorithm,
    pair: EcdsaKeyPair,
}

/// Decodes base64url.
fn decoded(text: &str, what: &str) -> Result<Vec<u8>, KeyError> {
    let bytes = BASE64.decode(text);
    bytes.map_err(|_| unusable(format!("its {what} is not base64url")))
}

impl TokenKey {
    /// Decrypts the sealed key with the id `kid`: a JWE in compact form.
    pub(super) fn open(kid: &str, sealed: &str, password: &Secret) -> Result<Self, KeyError> {
        let parts: Vec<&str> = sealed.split('.').collect();
        let [header, wrapped, nonce, text, tag] = parts[..] else {
            return Err(unusable("it does not consist of five parts"));
        };
        let aad = header;
        let header: Header = serde_json::from_slice(&decoded(header, "header")?)
            .map_err(|e| unusable(format!("its header: {e}")))?;
        if header.alg != ALGORITHM || header.enc != ENCRYPTION {
            let how = format!("{} and {}", header.alg, header.enc);
            return Err(unusable(format!(
                "it is encrypted with {}, but kpki only supports {ALGORITHM} and {ENCRYPTION}",
                super::far::shown(&how)
            )));
        }
        let iterations = NonZeroU32::new(header.p2c).filter(|n| n.get() <= MAX_ITERATIONS);
        let iterations = iterations.ok_or_else(|| {
            unusable(format!(
                "it requires {} iterations, but at most {MAX_ITERATIONS} are allowed",
                header.p2c
            ))
        })?;
        // RFC 7518 §4.8.1.1: the algorithm's name, a zero octet, the salt input.
        let mut salt = [ALGORITHM.as_bytes(), &[0]].concat();
        salt.extend(decoded(&header.p2s, "salt")?);
        let mut wrapping = Zeroizing::new([0; 16]);
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            iterations,
            &salt,
            password.expose().as_bytes(),
            &mut *wrapping,
        );
        let wrapped = decoded(wrapped, "wrapped key")?;
        if wrapped.len() != 40 {
            return Err(unusable("its wrapped key has the wrong length"));
        }
        let mut key = Zeroizing::new([0; 40]);
        let key = AesKek::new(&AES_128, &*wrapping)
            .and_then(|kek| kek.unwrap(&wrapped, &mut *key))
            .map_err(|_| KeyError::WrongPassword)?;
        let mut sealed = Zeroizing::new(decoded(text, "text")?);
        sealed.extend(decoded(tag, "tag")?);
        let nonce = Nonce::try_assume_unique_for_key(&decoded(nonce, "nonce")?)
            .map_err(|_| unusable("its nonce has the wrong length"))?;
        let opened = UnboundKey::new(&AES_256_GCM, key)
            .map(LessSafeKey::new)
            .and_then(|key| key.open_in_place(nonce, Aad::from(aad.as_bytes()), &mut sealed))
            .map_err(|_| unusable("it was altered"))?;
        let jwk: Jwk = serde_json::from_slice(opened)
            // The error message may quote the key.
            .map_err(|_| unusable("its content is not a JSON Web Key"))?;
        Self::of(kid, &jwk)
    }

    fn of(kid: &str, jwk: &Jwk) -> Result<Self, KeyError> {
        let (alg, algorithm, digest): (_, &'static EcdsaSigningAlgorithm, _) =
            match (jwk.kty.as_str(), jwk.crv.as_str()) {
                ("EC", "P-256") => ("ES256", &ECDSA_P256_SHA256_FIXED_SIGNING, &digest::SHA256),
                ("EC", "P-384") => ("ES384", &ECDSA_P384_SHA384_FIXED_SIGNING, &digest::SHA384),
                (kind, curve) => {
                    let kind = super::far::shown(&format!("{kind} {curve}"));
                    return Err(unusable(format!(
                        "its type is {}, but kpki signs with EC P-256 or P-384",
                        kind.trim()
                    )));
                }
            };
        let mut point = vec![4];
        point.extend(decoded(&jwk.x, "x")?);
        point.extend(decoded(&jwk.y, "y")?);
        let secret = Zeroizing::new(decoded(&jwk.d, "d")?);
        let pair = EcdsaKeyPair::from_private_key_and_public_key(algorithm, &secret, &point)
            .map_err(|_| unusable("its values are not those of a valid key"))?;
        Ok(Self {
            kid: kid.to_owned(),
            alg,
            digest,
            pair,
        })
    }

    /// A signed token (a JWS in its compact form). `None` if the library refuses.
    pub(super) fn token(&self, claims: &impl Serialize) -> Option<Secret> {
        #[derive(Serialize)]
        struct Header<'a> {
            alg: &'a str,
            kid: &'a str,
            typ: &'a str,
        }
        let header = Header {
            alg: self.alg,
            kid: &self.kid,
            typ: "JWT",
        };
        let part = |json: serde_json::Result<Vec<u8>>| Some(BASE64.encode(json.ok()?));
        let header = part(serde_json::to_vec(&header))?;
        let claims = part(serde_json::to_vec(claims))?;
        let signed = format!("{header}.{claims}");
        let digest = digest::digest(self.digest, signed.as_bytes());
        let signature = self.pair.sign_digest(&digest).ok()?;
        Some(Secret::new(format!(
            "{signed}.{}",
            BASE64.encode(signature.as_ref())
        )))
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
    use serde_json::{Value, json};

    use super::*;

    /// Made by step-ca's own library (go.step.sm/crypto 0.77.1).
    const SEALED: &str = include_str!("../../tests/suite/issuers/provisioner.jwe");
    const PUBLIC: &str = include_str!("../../tests/suite/issuers/provisioner.json");
    const PASSWORD: &str = "a password of the tests";

    fn open(sealed: &str, password: &str) -> Result<TokenKey, KeyError> {
        TokenKey::open("kid", sealed.trim(), &Secret::new(password.to_owned()))
    }

    #[test]
    fn a_key_that_step_sealed_opens_and_signs() {
        let key = open(SEALED, PASSWORD).unwrap();
        let token = key.token(&json!({"sub": "kafka1"})).unwrap();
        let (signed, signature) = token.expose().rsplit_once('.').unwrap();
        let public: Value = serde_json::from_str(PUBLIC).unwrap();
        let number = |name: &str| BASE64.decode(public[name].as_str().unwrap()).unwrap();
        let point = [vec![4], number("x"), number("y")].concat();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .verify(signed.as_bytes(), &BASE64.decode(signature).unwrap())
            .unwrap();
        let header = signed.split('.').next().unwrap();
        let header: Value = serde_json::from_slice(&BASE64.decode(header).unwrap()).unwrap();
        assert_eq!(header, json!({"alg": "ES256", "kid": "kid", "typ": "JWT"}));
    }

    #[test]
    fn wrong_passwords_and_altered_keys_are_told_apart() {
        let refused = |sealed: &str, password| open(sealed, password).err();
        assert_eq!(refused(SEALED, "another"), Some(KeyError::WrongPassword));
        let parts: Vec<&str> = SEALED.trim().split('.').collect();
        let with = |at: usize, part: &str| {
            let mut parts = parts.clone();
            parts[at] = part;
            parts.join(".")
        };
        let header = |header: Value| with(0, &BASE64.encode(header.to_string()));
        let good = json!({"alg": ALGORITHM, "enc": ENCRYPTION, "p2c": 600_000, "p2s": "AAAA"});
        let mut endless = good.clone();
        endless["p2c"] = json!(u32::MAX);
        let mut none = good.clone();
        none["p2c"] = json!(0);
        let mut direct = good.clone();
        direct["alg"] = json!("dir");
        let turned = parts[3].chars().rev().collect::<String>();
        for (what, sealed) in [
            ("empty", String::new()),
            ("four parts", parts[..4].join(".")),
            ("six parts", format!("{}.x", SEALED.trim())),
            ("no base64", with(0, "!")),
            ("no header", with(0, "")),
            ("a list", header(json!([]))),
            ("endless derivation", header(endless)),
            ("no derivation", header(none)),
            ("another algorithm", header(direct)),
            ("a short wrapped key", with(1, "AAAA")),
            ("an empty wrapped key", with(1, "")),
            ("a short nonce", with(2, "AAAA")),
            ("another text", with(3, &turned)),
            ("no text", with(3, "")),
            ("another tag", with(4, "AAAAAAAAAAAAAAAAAAAAAA")),
        ] {
            let error = refused(&sealed, PASSWORD);
            assert!(
                matches!(error, Some(KeyError::Unusable(_))),
                "{what}: {error:?}"
            );
        }
    }

    #[test]
    fn keys_of_other_kinds_and_broken_ones_are_refused() {
        let public: Value = serde_json::from_str(PUBLIC).unwrap();
        let of = |change: &dyn Fn(&mut Value)| {
            let mut jwk = public.clone();
            jwk["d"] = json!("AQ");
            change(&mut jwk);
            let jwk: Jwk = serde_json::from_value(jwk).unwrap();
            TokenKey::of("kid", &jwk).err().unwrap().to_string()
        };
        assert!(of(&|_| ()).contains("values"));
        assert!(of(&|k| k["kty"] = json!("RSA")).contains("its type is RSA P-256"));
        assert!(of(&|k| k["x"] = json!("AQ")).contains("values"));
        assert!(of(&|k| k["d"] = json!("")).contains("values"));
        assert!(of(&|k| k["y"] = json!("*")).contains("base64url"));
    }
}
