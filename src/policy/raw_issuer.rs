//! The shape of the policy's `issuer`: who signs, where that is not a key in the output directory.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::document::Spanned;

/// Who signs, in place of a key in the output directory. kpki makes the keys, the requests and the stores.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "issuer", extend("minProperties" = 1, "maxProperties" = 1))]
pub(super) struct RawIssuer {
    /// A key in a token or HSM, reached by PKCS#11. kpki makes the CA's certificate.
    pub pkcs11: Option<Spanned<RawPkcs11>>,
    /// Smallstep's step-ca, by a provisioner of the kind JWK.
    pub step_ca: Option<Spanned<RawStepCa>>,
}

/// A key in a token.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "pkcs11")]
pub(super) struct RawPkcs11 {
    /// Where the key is (RFC 7512): `pkcs11:token=LABEL;object=LABEL?module-path=/usr/lib/…/library.so`. It is made
    /// where it is not there yet. The PIN comes from the file that `pin-source` names, KPKI_PKCS11_PIN, or is asked.
    pub uri: Spanned<String>,
}

/// A step-ca.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "step_ca")]
pub(super) struct RawStepCa {
    /// Its address, `https://ca.example.com`; the host is one of dnsNames in its ca.json.
    pub url: Spanned<String>,
    /// The SHA-256 fingerprint of its root's certificate, in hex.
    pub fingerprint: Spanned<String>,
    /// The name of a provisioner of the kind JWK.
    pub provisioner: Spanned<String>,
    /// The absolute path of the file with the provisioner's password. Default: KPKI_STEP_CA_PASSWORD, or asked.
    pub password_file: Option<Spanned<String>>,
}
