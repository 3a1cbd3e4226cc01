//! The PKI secrets engine of HashiCorp Vault, and of OpenBao, which has the same API.

use std::path::Path;

use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use ureq::http::{HeaderMap, HeaderName, HeaderValue};

use super::{
    CertificateRequest, Engine, Issued, Issuer, IssuerError, Wanted, answer,
    far::{self, Who, Why, kept, shown},
    http::{Question, Reply, Server},
};
use crate::{
    keystore::pem,
    pki::{Certificate, Host},
    policy::VaultSettings,
    state::read_text,
};

/// Its entry in the table.
pub(super) const ENGINE: Engine = Engine {
    name: "vault",
    file: "vault.json",
    wanted: |path, bytes| {
        let settings: VaultSettings = kept(path, bytes)?;
        Ok(Some(Wanted::Credential {
            what: "a Vault token",
            file: settings.token_file,
            setting: "token_file",
            variable: "VAULT_TOKEN",
        }))
    },
    open: |closed, signer, behind, token| {
        let settings: VaultSettings = kept(&closed.path, &closed.bytes)?;
        let server = connect(&settings)?;
        let token = token.ok_or(IssuerError::NotOpened)?;
        let Ok(mut value) = HeaderValue::from_str(token.expose().trim()) else {
            return Err(server.who.fails(
                Why::Forbidden,
                "cannot use that token: it contains an invalid character",
                "the file, or VAULT_TOKEN, must contain the token and nothing else",
            ));
        };
        value.set_sensitive(true);
        let mut headers = headers(&server, &settings)?;
        headers.insert(HeaderName::from_static("x-vault-token"), value);
        Ok(Box::new(Vault {
            path: format!("/v1/{}/sign/{}", settings.mount, settings.role),
            server,
            headers,
            settings,
            signer: signer.clone(),
            behind: behind.to_vec(),
        }))
    },
    authorities: Some(|path, bytes| {
        let settings: VaultSettings = kept(path, bytes)?;
        let server = connect(&settings)?;
        let headers = headers(&server, &settings)?;
        let get = |what: &str| {
            let path = format!("/v1/{}/{what}", settings.mount);
            let question = Question {
                path: &path,
                headers: headers.clone(),
                body: None,
            };
            let (reply, what) = (server.ask(&question)?, "to show its CA");
            match reply.status {
                200..=299 => Ok(reply.body),
                // The CA is public: without an engine there, the path asks for a token, and none was sent.
                403 => {
                    let said = refusal(&reply, what);
                    Err(server.who.fails(Why::Settings, said, NO_ENGINE))
                }
                _ => Err(refused(&server, &reply, what, &settings)),
            }
        };
        let own = get("ca/pem")?;
        if own.trim_ascii().is_empty() {
            let what = format!("has no CA at {}", settings.mount);
            return Err(server.who.fails(Why::Settings, what, NO_CA));
        }
        let mut chain = certificates(&server.who, &own)?;
        // A root has no chain, and older versions return an empty one.
        let behind = get("ca_chain")?;
        if !behind.trim_ascii().is_empty() {
            chain.extend(certificates(&server.who, &behind)?);
        }
        if let Some(root) = &settings.root_file {
            chain.extend(certificates(&of_file(root), &read_text(root)?)?);
        }
        far::chain(&server.who, chain)
    }),
};

/// What to do if there is no engine.
const NO_ENGINE: &str = "there is no PKI secrets engine at `mount` (in that `namespace`): vault secrets list shows the mounted engines";
/// What to do if there is one, without a CA.
const NO_CA: &str = "the PKI secrets engine at `mount` has no default issuer: generate or import its CA, then run the command again";

/// A role of the secrets engine, ready to sign.
struct Vault {
    server: Server,
    path: String,
    headers: HeaderMap,
    settings: VaultSettings,
    signer: Certificate,
    behind: Vec<Certificate>,
}

/// The parameters of a signing request; roles may take them from the CSR (`use_csr_sans`) or from here.
#[derive(Serialize)]
struct SignRequest<'a> {
    csr: &'a str,
    common_name: &'a str,
    alt_names: String,
    ip_sans: String,
    ttl: String,
    exclude_cn_from_sans: bool,
    format: &'a str,
}

#[derive(Deserialize)]
struct Signed {
    data: SignedData,
}

#[derive(Deserialize)]
struct SignedData {
    certificate: String,
}

#[derive(Deserialize)]
struct Errors {
    #[serde(default)]
    errors: Vec<String>,
}

fn of_file(path: &Path) -> Who {
    Who(format!("the file {}", path.display()))
}

fn connect(settings: &VaultSettings) -> Result<Server, IssuerError> {
    let who = Who(format!("Vault at {}", settings.url));
    let roots: Vec<CertificateDer<'_>> = match &settings.ca_file {
        Some(path) => certificates(&of_file(path), &read_text(path)?)?
            .into_iter()
            .map(|c| c.der)
            .collect(),
        None => Vec::new(),
    };
    let trust =
        "its certificate was not issued by a CA in `ca_file`, or does not name the host in `url`";
    Ok(Server::new(who, &settings.url, &roots, trust, is_sealed))
}

fn headers(server: &Server, settings: &VaultSettings) -> Result<HeaderMap, IssuerError> {
    let mut headers = HeaderMap::new();
    // Protects against forged requests through a browser or proxy.
    headers.insert(
        HeaderName::from_static("x-vault-request"),
        HeaderValue::from_static("true"),
    );
    if let Some(namespace) = &settings.namespace {
        let value = HeaderValue::from_str(namespace).map_err(|_| {
            server.who.fails(
                Why::Settings,
                "has no such namespace",
                "correct `namespace` in the policy",
            )
        })?;
        headers.insert(HeaderName::from_static("x-vault-namespace"), value);
    }
    Ok(headers)
}

/// It stays sealed until someone unseals it.
fn is_sealed(reply: &Reply) -> bool {
    reply.status == 503 && errors(reply).contains("sealed")
}

/// What it says is wrong. Several errors come as a list with a line each.
fn errors(reply: &Reply) -> String {
    let said = serde_json::from_slice::<Errors>(&reply.body).map(|e| e.errors);
    let said = said.unwrap_or_default().join("; ");
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The same as a sentence.
fn refusal(reply: &Reply, what: &str) -> String {
    match errors(reply) {
        said if said.is_empty() => format!("refuses {what} with the status {}", reply.status),
        said => format!("refuses {what} ({}): {}", reply.status, shown(&said)),
    }
}

fn certificates(who: &Who, text: &[u8]) -> Result<Vec<Certificate>, IssuerError> {
    let bad = |e: String| {
        who.bad_answer(format!(
            "contains something other than a certificate: {}",
            shown(&e)
        ))
    };
    let ders = pem::parse_certificates(text).map_err(|e| bad(e.to_string()))?;
    let read = ders
        .iter()
        .map(|der| Certificate::from_der(der).map_err(|e| bad(e.to_string())));
    read.collect()
}

/// Vault's reason for not signing.
fn refused(server: &Server, reply: &Reply, what: &str, settings: &VaultSettings) -> IssuerError {
    let VaultSettings { mount, role, .. } = settings;
    let said = errors(reply);
    let about = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let own = |hint: &str| hint.to_owned();
    let (why, hint) = match reply.status {
        503 if about(&["sealed"]) => (
            Why::Sealed,
            own("unseal it (vault operator unseal), then run the command again to continue"),
        ),
        403 => (
            Why::Forbidden,
            format!(
                "the token is wrong or expired, or its policy does not allow this: grant `update` on {mount}/sign/{role}, and use a fresh token"
            ),
        ),
        404 => (Why::Settings, own(NO_ENGINE)),
        // Identities' names have no spaces, so these words are never part of one.
        400 | 500 if about(&["fetch the CA certificate"]) => (Why::Settings, own(NO_CA)),
        400 if about(&["unknown role"]) => (
            Why::Settings,
            format!(
                "make it, for example: vault write {mount}/roles/{role} allow_any_name=true enforce_hostnames=false key_type=any max_ttl=9600h"
            ),
        ),
        400 if about(&["keys of type", "-bit key", "RSA keys <", "Unknown key type"]) => (
            Why::Refused,
            own(
                "the role requires another key algorithm: set its key_type to `any`, or `key` in the policy to what it requires",
            ),
        ),
        400 if about(&["ttl or not_after"]) => (
            Why::Settings,
            own(
                "remove not_after from the role: kpki asks for a certificate's life, and not for its end",
            ),
        ),
        400 if about(&["beyond the expiration"]) => (
            Why::Refused,
            own(
                "set leaf_valid_days (and renew_before_days) in the policy to what the role and the CA allow, or raise max_ttl",
            ),
        ),
        400 => (
            Why::Refused,
            own(
                "the role does not allow this certificate: widen its allowed_domains (with allow_bare_domains and enforce_hostnames=false for plain names), or allow_any_name (addresses need allow_ip_sans, and wildcards allow_wildcard_certificates); or change the name or hosts in the policy",
            ),
        ),
        300..=399 => (
            Why::Settings,
            own(
                "another server is active: set `url` in the policy to its address, or that of the load balancer",
            ),
        ),
        429 => (
            Why::Unreachable,
            own("it limits the rate of requests: run the command again later to continue"),
        ),
        500.. => (
            Why::Unreachable,
            own("its log contains the reason; run the command again to continue"),
        ),
        _ => (
            Why::BadAnswer,
            own("check that it is Vault or OpenBao that listens at `url`"),
        ),
    };
    server.who.fails(why, refusal(reply, what), hint)
}

impl Vault {
    fn sign_one(
        &self,
        request: &CertificateRequest<'_>,
        now: OffsetDateTime,
    ) -> Result<Issued, IssuerError> {
        let (leaf, who) = (request.leaf, &self.server.who);
        let listed = |is: fn(&Host) -> bool| {
            let hosts = leaf.hosts.iter().filter(|h| is(h));
            hosts.map(ToString::to_string).collect::<Vec<_>>().join(",")
        };
        // Vault does not sign beyond its CA's own expiry.
        let wanted = Duration::days(leaf.days.into());
        let life = wanted.min(self.signer.not_after - now - Duration::MINUTE);
        let csr = request.pkcs10_pem(leaf)?;
        let body = || {
            let asked = SignRequest {
                csr: &csr,
                common_name: leaf.name.as_str(),
                alt_names: listed(|h| matches!(h, Host::Dns(_))),
                ip_sans: listed(|h| matches!(h, Host::Ip(_))),
                ttl: format!("{}s", life.whole_seconds().max(1)),
                exclude_cn_from_sans: true,
                format: "pem",
            };
            let json = serde_json::to_vec(&asked);
            json.map_err(|_| {
                who.fails(
                    Why::Settings,
                    "cannot be asked for that",
                    "this is a bug in kpki",
                )
            })
        };
        let reply = self.server.ask(&Question {
            path: &self.path,
            headers: self.headers.clone(),
            body: Some(&body),
        })?;
        if !reply.is_good() {
            return Err(refused(
                &self.server,
                &reply,
                leaf.name.as_str(),
                &self.settings,
            ));
        }
        let signed: Signed = serde_json::from_slice(&reply.body).map_err(|e| {
            let what = format!(
                "sent an answer that cannot be read: {}",
                shown(&e.to_string())
            );
            who.bad_answer(what)
        })?;
        let ders = pem::parse_certificates(signed.data.certificate.as_bytes());
        let Some(der) = ders.ok().and_then(|all| all.into_iter().next()) else {
            return Err(who.bad_answer(format!("returned no certificate for {}", leaf.name)));
        };
        answer::checked(request, &der, &self.signer, &self.behind, now)
            .map_err(|wrong| wrong.of(who, leaf))
    }
}

impl Issuer for Vault {
    fn sign(
        &self,
        requests: &[CertificateRequest<'_>],
        now: OffsetDateTime,
    ) -> Vec<Result<Issued, IssuerError>> {
        self.server
            .in_parallel(requests, |request| self.sign_one(request, now))
    }
}
