//! A key in a PKCS#11 token: finding it, creating it, and signing with it.

use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{self, digest};
use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error as TokenError, RvError},
    mechanism::Mechanism,
    object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle},
    session::{Session, UserType},
    types::AuthPin,
};
use rcgen::{PublicKeyData, SignatureAlgorithm, SigningKey};

use super::{
    IssuerError,
    far::{Who, Why, shown},
};
use crate::{
    pki::{KeyAlgorithm, KeyUri},
    random,
    secret::Secret,
};

/// The curves' names (RFC 5480 §2.1.1.1) in DER, as tokens expect them.
const P256: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const P384: &[u8] = &[6, 5, 0x2b, 0x81, 4, 0, 0x22];

/// A token with a logged-in session.
pub(super) struct Token {
    session: Session,
    who: Who,
    uri: KeyUri,
}

/// A private key in a token.
pub(super) struct TokenKey {
    session: Mutex<Session>,
    handle: ObjectHandle,
    algorithm: &'static SignatureAlgorithm,
    /// The public key, as in a SubjectPublicKeyInfo.
    public: Vec<u8>,
    who: Who,
    /// Why the last signature failed.
    failure: Mutex<Option<String>>,
}

impl Token {
    /// Loads the library and logs in.
    pub(super) fn open(uri: &KeyUri, pin: &Secret) -> Result<Self, IssuerError> {
        let label = uri.token.as_deref().or(uri.serial.as_deref());
        let who = Who(format!("the token {}", label.unwrap_or_default()));
        let module = uri.module.display();
        let unusable = |e: TokenError| {
            who.fails(
                Why::Settings,
                format!("cannot be reached with {module}: {}", shown(&e.to_string())),
                "module-path in the URI must be the PKCS#11 library that came with the token",
            )
        };
        let library = Pkcs11::new(&uri.module).map_err(unusable)?;
        match library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Ok(()) | Err(TokenError::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => return Err(unusable(error)),
        }
        let (mut found, mut others) = (Vec::new(), Vec::new());
        for slot in library
            .get_slots_with_initialized_token()
            .map_err(unusable)?
        {
            let Ok(info) = library.get_token_info(slot) else {
                continue;
            };
            let is_it = |wanted: &Option<String>, is: &str| {
                wanted.as_ref().is_none_or(|wanted| wanted == is)
            };
            match is_it(&uri.token, info.label()) && is_it(&uri.serial, info.serial_number()) {
                true => found.push((slot, info)),
                false => others.push(shown(info.label())),
            }
        }
        let [(slot, info)] = &found[..] else {
            let what = match found.len() {
                0 => format!("is not found by {module}"),
                several => format!("is one of {several} with that label"),
            };
            let hint = match (found.is_empty(), others.is_empty()) {
                (true, true) => "there is no initialised token: initialise one with softhsm2-util --init-token or the token's own tool".to_owned(),
                (true, false) => format!("its tokens are {}", others.join(", ")),
                (false, _) => "distinguish them by serial=NUMBER in the URI".to_owned(),
            };
            return Err(who.fails(Why::Settings, what, hint));
        };
        let session = library.open_rw_session(*slot).map_err(unusable)?;
        let pin = AuthPin::from(pin.expose().to_owned());
        match session.login(UserType::User, Some(&pin)) {
            Ok(()) | Err(TokenError::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(error) => {
                let few = match info.user_pin_final_try() || info.user_pin_count_low() {
                    true => "; few attempts are left before it locks itself",
                    false => "; a token locks itself after a few wrong ones",
                };
                return Err(who.fails(
                    Why::Forbidden,
                    format!("refuses the PIN: {}", refusal(&error)),
                    format!("give the user PIN with pin-source=file:/path in the URI or KPKI_PKCS11_PIN{few}"),
                ));
            }
        }
        Ok(Self {
            session,
            who,
            uri: uri.clone(),
        })
    }

    /// The objects of a class that the URI names.
    fn find(&self, class: ObjectClass) -> Result<Vec<ObjectHandle>, IssuerError> {
        let mut template = vec![Attribute::Class(class), Attribute::Token(true)];
        let label = self.uri.object.iter();
        template.extend(label.map(|label| Attribute::Label(label.clone().into_bytes())));
        template.extend(self.uri.id.iter().cloned().map(Attribute::Id));
        self.session
            .find_objects(&template)
            .map_err(|e| self.fails(&e))
    }

    fn fails(&self, error: &TokenError) -> IssuerError {
        self.who.fails(
            Why::Refused,
            format!("fails: {}", refusal(error)),
            "the token's own log or tool may show more",
        )
    }

    /// The private key that the URI names; `None` if there is none.
    fn private(&self) -> Result<Option<ObjectHandle>, IssuerError> {
        match self.find(ObjectClass::PRIVATE_KEY)?[..] {
            [] => Ok(None),
            [only] => Ok(Some(only)),
            _ => Err(self.who.fails(
                Why::Settings,
                "has several private keys that match the URI",
                "select one with both object=LABEL and id=%01",
            )),
        }
    }

    /// The key of a CA whose certificate already exists.
    pub(super) fn key_of(
        self,
        algorithm: &'static SignatureAlgorithm,
        public: Vec<u8>,
    ) -> Result<TokenKey, IssuerError> {
        let Some(handle) = self.private()? else {
            return Err(self.who.fails(
                Why::Settings,
                "has no such private key",
                "the URI names it by object and id: was the token replaced, or the key renamed?",
            ));
        };
        Ok(self.with(handle, algorithm, public))
    }

    /// The existing key, or a new one with this algorithm.
    pub(super) fn key_or_new(self, kind: KeyAlgorithm) -> Result<TokenKey, IssuerError> {
        let handle = match self.private()? {
            Some(handle) => handle,
            None => self.generate(kind)?,
        };
        let [public] = self.find(ObjectClass::PUBLIC_KEY)?[..] else {
            return Err(self.who.fails(
                Why::Settings,
                "does not have exactly one public key for the private key",
                "import the public key with the same label and id, or let kpki create both: name a key that does not exist",
            ));
        };
        let (algorithm, public) = self.public(public)?;
        Ok(self.with(handle, algorithm, public))
    }

    fn with(
        self,
        handle: ObjectHandle,
        algorithm: &'static SignatureAlgorithm,
        public: Vec<u8>,
    ) -> TokenKey {
        TokenKey {
            session: Mutex::new(self.session),
            handle,
            algorithm,
            public,
            who: self.who,
            failure: Mutex::new(None),
        }
    }

    /// A key that never leaves the token.
    fn generate(&self, kind: KeyAlgorithm) -> Result<ObjectHandle, IssuerError> {
        let label = self.uri.object.clone().unwrap_or_else(|| "kpki".to_owned());
        let id = match &self.uri.id {
            Some(id) => id.clone(),
            None => random::octets::<8>()?.to_vec(),
        };
        let named = [
            Attribute::Token(true),
            Attribute::Label(label.into()),
            Attribute::Id(id),
        ];
        let mut public = named.to_vec();
        public.extend([Attribute::Private(false), Attribute::Verify(true)]);
        let mut private = named.to_vec();
        private.extend([
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
        ]);
        let rsa = |bits: u64| {
            [
                Attribute::ModulusBits(bits.into()),
                Attribute::PublicExponent(vec![1, 0, 1]),
            ]
        };
        let mechanism = match kind {
            KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 => Mechanism::EccKeyPairGen,
            _ => Mechanism::RsaPkcsKeyPairGen,
        };
        match kind {
            KeyAlgorithm::EcdsaP256 => public.push(Attribute::EcParams(P256.to_vec())),
            KeyAlgorithm::EcdsaP384 => public.push(Attribute::EcParams(P384.to_vec())),
            KeyAlgorithm::Rsa2048 => public.extend(rsa(2048)),
            KeyAlgorithm::Rsa3072 => public.extend(rsa(3072)),
            KeyAlgorithm::Rsa4096 => public.extend(rsa(4096)),
        }
        let made = self
            .session
            .generate_key_pair(&mechanism, &public, &private);
        let (_, private) = made.map_err(|e| self.fails(&e))?;
        Ok(private)
    }

    /// The algorithm of a public key, and its bits.
    fn public(
        &self,
        key: ObjectHandle,
    ) -> Result<(&'static SignatureAlgorithm, Vec<u8>), IssuerError> {
        let wanted = [
            AttributeType::KeyType,
            AttributeType::EcParams,
            AttributeType::EcPoint,
            AttributeType::Modulus,
            AttributeType::PublicExponent,
        ];
        let found = self
            .session
            .get_attributes(key, &wanted)
            .map_err(|e| self.fails(&e))?;
        let (mut kind, mut curve, mut point) = (None, Vec::new(), Vec::new());
        let (mut modulus, mut exponent) = (Vec::new(), Vec::new());
        for attribute in found {
            match attribute {
                Attribute::KeyType(is) => kind = Some(is),
                Attribute::EcParams(is) => curve = is,
                Attribute::EcPoint(is) => point = is,
                Attribute::Modulus(is) => modulus = is,
                Attribute::PublicExponent(is) => exponent = is,
                _ => {}
            }
        }
        // PKCS#11 wraps the point in an OCTET STRING, but some tokens do not.
        let bare = |length: usize| match &point[..] {
            [4, _, rest @ ..] if rest.len() == length => Some(rest.to_vec()),
            whole if whole.len() == length => Some(whole.to_vec()),
            _ => None,
        };
        let known = match (kind, &curve[..]) {
            (Some(KeyType::EC), P256) => bare(65).map(|p| (&rcgen::PKCS_ECDSA_P256_SHA256, p)),
            (Some(KeyType::EC), P384) => bare(97).map(|p| (&rcgen::PKCS_ECDSA_P384_SHA384, p)),
            (Some(KeyType::RSA), _) if (256..=512).contains(&modulus.len()) => {
                let key = sequence(&[integer(&modulus), integer(&exponent)].concat());
                Some((&rcgen::PKCS_RSA_SHA256, key))
            }
            _ => None,
        };
        known.ok_or_else(|| {
            self.who.fails(
                Why::Settings,
                "has a key of a type that kpki cannot sign with",
                "kpki signs with ECDSA on P-256 and P-384, and with RSA of 2048 to 4096 bits",
            )
        })
    }
}

/// DER (X.690 §8.3) of a number given by its octets.
fn integer(octets: &[u8]) -> Vec<u8> {
    let zeros = octets.iter().take_while(|o| **o == 0).count();
    let mut octets = octets[zeros..].to_vec();
    // Positive, and zero is one octet.
    if octets.first().is_none_or(|first| *first >= 0x80) {
        octets.insert(0, 0);
    }
    tagged(2, &octets)
}

fn sequence(content: &[u8]) -> Vec<u8> {
    tagged(0x30, content)
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length = &length[length.iter().take_while(|o| **o == 0).count()..];
    let mut der = vec![tag];
    match (content.len(), length) {
        (0, _) => der.push(0),
        (..=127, [short]) => der.push(*short),
        // No more octets than a usize has.
        (_, long) => {
            der.push(0x80 | long.len() as u8);
            der.extend(long);
        }
    }
    der.extend(content);
    der
}

/// The token's own error.
fn refusal(error: &TokenError) -> String {
    match error {
        TokenError::Pkcs11(RvError::PinIncorrect, _) => "it is wrong".to_owned(),
        TokenError::Pkcs11(RvError::PinLocked, _) => "it is locked".to_owned(),
        TokenError::Pkcs11(code, function) => format!("{function:?} says {code:?}"),
        other => shown(&other.to_string()),
    }
}

impl TokenKey {
    /// Why the last signature failed, as an error.
    pub(super) fn failure(&self) -> Option<IssuerError> {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        let what = failure.take()?;
        Some(self.who.fails(
            Why::Refused,
            format!("does not sign: {what}"),
            "check that the token is still there, and that the key may sign; then run the command again",
        ))
    }

    /// Whom an error is about.
    pub(super) fn who(&self) -> &Who {
        &self.who
    }

    fn signed(&self, mechanism: &Mechanism<'_>, bytes: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session
            .sign(mechanism, self.handle, bytes)
            .map_err(|error| {
                let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
                *failure = Some(refusal(&error));
                rcgen::Error::RemoteKeyError
            })
    }
}

impl PublicKeyData for TokenKey {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.algorithm
    }
}

impl SigningKey for TokenKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let hash = if self.algorithm == &rcgen::PKCS_ECDSA_P256_SHA256 {
            &digest::SHA256
        } else if self.algorithm == &rcgen::PKCS_ECDSA_P384_SHA384 {
            &digest::SHA384
        } else {
            return self.signed(&Mechanism::Sha256RsaPkcs, message);
        };
        // Both numbers one after the other, with equal length (PKCS#11 §6.3.1); certificates have a SEQUENCE of them
        // (RFC 5480, appendix A).
        let both = self.signed(&Mechanism::Ecdsa, digest(hash, message).as_ref())?;
        let (r, s) = both.split_at(both.len() / 2);
        Ok(sequence(&[integer(r), integer(s)].concat()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_der_has_them() {
        assert_eq!(integer(&[0, 0, 1]), [2, 1, 1]);
        assert_eq!(integer(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[0, 0]), [2, 1, 0]);
        assert_eq!(integer(&[]), [2, 1, 0]);
        assert_eq!(sequence(&[]), [0x30, 0]);
        assert_eq!(tagged(0x30, &[0; 127])[..2], [0x30, 127]);
        assert_eq!(tagged(0x30, &[0; 128])[..3], [0x30, 0x81, 128]);
        assert_eq!(tagged(0x30, &[0; 300])[..4], [0x30, 0x82, 1, 44]);
    }
}
