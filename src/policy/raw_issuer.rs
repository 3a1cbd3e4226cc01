//! The shape of the policy's `issuer`: who signs, where that is not a key in the output directory.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::document::Spanned;

/// The issuer, instead of a key in the output directory. kpki makes the keys, the requests and the stores.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "issuer", extend("minProperties" = 1, "maxProperties" = 1))]
pub(super) struct RawIssuer {
    /// A key in a token or HSM, through PKCS#11. kpki makes the CA certificate.
    pub pkcs11: Option<Spanned<RawPkcs11>>,
    /// Smallstep's step-ca, with a JWK provisioner.
    pub step_ca: Option<Spanned<RawStepCa>>,
    /// The PKI secrets engine of HashiCorp Vault or OpenBao.
    pub vault: Option<Spanned<RawVault>>,
}

/// A key in a token.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "pkcs11")]
pub(super) struct RawPkcs11 {
    /// The URI of the key (RFC 7512): `pkcs11:token=LABEL;object=LABEL?module-path=/usr/lib/…/library.so`. The key is
    /// created if it does not exist. The PIN is read from the file in `pin-source`, else from KPKI_PKCS11_PIN, else
    /// asked for.
    pub uri: Spanned<String>,
}

/// A step-ca.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "step_ca")]
pub(super) struct RawStepCa {
    /// Its address, `https://ca.example.com`; the host is one of dnsNames in its ca.json.
    pub url: Spanned<String>,
    /// The SHA-256 fingerprint of its root certificate, in hex.
    pub fingerprint: Spanned<String>,
    /// The name of a JWK provisioner.
    pub provisioner: Spanned<String>,
    /// The absolute path of the file with the provisioner's password. Default: KPKI_STEP_CA_PASSWORD, or asked for.
    pub password_file: Option<Spanned<String>>,
}

/// A PKI secrets engine of Vault or OpenBao.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "vault")]
pub(super) struct RawVault {
    /// The server's address, `https://vault.example.com:8200`.
    pub url: Spanned<String>,
    /// The path at which the engine is mounted. Default: pki.
    pub mount: Option<Spanned<String>>,
    /// The role that defines what is signed.
    pub role: Spanned<String>,
    /// The server's namespace.
    pub namespace: Option<Spanned<String>>,
    /// The absolute path of the file with a token. Default: VAULT_TOKEN, or asked for.
    pub token_file: Option<Spanned<String>>,
    /// The absolute path of the CA certificates (PEM) for the server's own certificate; needed for https.
    pub ca_file: Option<Spanned<String>>,
    /// The absolute path of the root certificate (PEM), if the engine's own chain does not include it.
    pub root_file: Option<Spanned<String>>,
}
