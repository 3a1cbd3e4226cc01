//! Smallstep's step-ca, with a JWK provisioner: it signs for anyone who presents a token signed with the provisioner's
//! key, which it provides encrypted with a password.

use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};
use ureq::http::HeaderMap;

use super::{
    CertificateRequest, Engine, Issued, Issuer, IssuerError, Wanted, answer,
    far::{self, Who, Why, kept, shown},
    http::{Question, Reply, Server},
    jose::{KeyError, TokenKey},
};
use crate::{
    keystore::pem,
    pki::{Certificate, Host, hex, sha256},
    policy::StepCaSettings,
    random,
    secret::Secret,
};

/// Its entry in the table.
pub(super) const ENGINE: Engine = Engine {
    name: "step_ca",
    file: "step-ca.json",
    wanted: |path, bytes| {
        let settings: StepCaSettings = kept(path, bytes)?;
        Ok(Some(Wanted::Credential {
            what: "the password of step-ca's provisioner",
            file: settings.password_file,
            setting: "password_file",
            variable: "KPKI_STEP_CA_PASSWORD",
        }))
    },
    open: |closed, signer, behind, password| {
        let settings: StepCaSettings = kept(&closed.path, &closed.bytes)?;
        let Some(password) = password else {
            return Err(IssuerError::NotOpened);
        };
        let (server, _) = connect(&settings)?;
        let key = provisioner_key(&server, &settings, password)?;
        Ok(Box::new(StepCa {
            audience: format!("{}/1.0/sign", settings.url.trim_end_matches('/')),
            server,
            key,
            settings,
            signer: signer.clone(),
            behind: behind.to_vec(),
        }))
    },
    authorities: Some(|path, bytes| {
        let settings: StepCaSettings = kept(path, bytes)?;
        let (server, root) = connect(&settings)?;
        let all: Crts = get(&server, "/intermediates")?;
        let mut chain = Vec::new();
        for pem in all.crts.iter().take(MAX_INTERMEDIATES) {
            chain.extend(certificates(&server, pem)?);
        }
        chain.push(root);
        far::chain(&server.who, chain)
    }),
};

/// The maximum number of intermediates.
const MAX_INTERMEDIATES: usize = 16;
/// The maximum number of pages of provisioners, with 100 each.
const MAX_PAGES: usize = 50;
/// How many of them are named if the right one is missing.
const NAMED: usize = 10;
/// How long a token is valid, and how far the server's clock may be behind.
const TOKEN_LIFE: Duration = Duration::minutes(5);

/// A step-ca that is ready to sign.
struct StepCa {
    server: Server,
    key: TokenKey,
    settings: StepCaSettings,
    /// The audience of tokens.
    audience: String,
    signer: Certificate,
    behind: Vec<Certificate>,
}

#[derive(Deserialize)]
struct Crts {
    crts: Vec<String>,
}

#[derive(Deserialize)]
struct Root {
    ca: String,
}

#[derive(Deserialize)]
struct Provisioners {
    provisioners: Vec<Provisioner>,
    #[serde(default, rename = "nextCursor")]
    next_cursor: String,
}

#[derive(Deserialize)]
struct Provisioner {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    key: Option<PublicKey>,
    #[serde(default, rename = "encryptedKey")]
    encrypted_key: Option<String>,
}

#[derive(Deserialize)]
struct PublicKey {
    #[serde(default)]
    kid: String,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct Signed {
    crt: String,
}

#[derive(Serialize)]
struct SignRequest<'a> {
    csr: &'a str,
    ott: &'a str,
    #[serde(rename = "notAfter")]
    not_after: &'a str,
}

/// RFC 7519 §4.1; `sans` is step's own.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    sans: &'a [String],
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: String,
}

fn who(settings: &StepCaSettings) -> Who {
    Who(format!("step-ca at {}", settings.url))
}

/// The server, and its root, which is verified by the fingerprint.
fn connect(settings: &StepCaSettings) -> Result<(Server, Certificate), IssuerError> {
    let stranger = Server::unverified(who(settings), &settings.url);
    let path = format!("/root/{}", settings.fingerprint);
    let reply = stranger.ask(&Question::get(&path))?;
    if reply.status == 404 {
        return Err(stranger.who.fails(
            Why::Settings,
            format!("has no root with the fingerprint {}", settings.fingerprint),
            "`fingerprint` in the policy is the SHA-256 of the root certificate: run `step certificate fingerprint root_ca.crt` on the CA's machine",
        ));
    }
    let root: Root = good(&stranger, &reply, "to show its root")?;
    let root = certificates(&stranger, &root.ca)?.into_iter().next();
    let Some(root) = root.filter(|root| sha256(&root.der) == settings.fingerprint) else {
        return Err(stranger.who.fails(
            Why::Untrusted,
            "returns a root that does not have the fingerprint in the policy",
            "another server may be answering there: correct `url`, or `fingerprint` if the CA has a new root",
        ));
    };
    let trust = "its certificate was not issued under the root whose fingerprint is in the policy, or does not name the host in `url`: correct `url`, or add that name to dnsNames in the CA's ca.json";
    let server = Server::new(
        who(settings),
        &settings.url,
        std::slice::from_ref(&root.der),
        trust,
        |_| false,
    );
    Ok((server, root))
}

/// The certificates in a text from the server.
fn certificates(server: &Server, text: &str) -> Result<Vec<Certificate>, IssuerError> {
    let bad = |e: String| {
        server.who.bad_answer(format!(
            "returned something other than a certificate: {}",
            shown(&e)
        ))
    };
    let ders = pem::parse_certificates(text.as_bytes()).map_err(|e| bad(e.to_string()))?;
    let read = ders
        .iter()
        .map(|der| Certificate::from_der(der).map_err(|e| bad(e.to_string())));
    read.collect()
}

/// The content of a successful answer; a refusal is an error.
fn good<T: DeserializeOwned>(server: &Server, reply: &Reply, what: &str) -> Result<T, IssuerError> {
    if !reply.is_good() {
        return Err(refused(server, reply, what));
    }
    serde_json::from_slice(&reply.body).map_err(|e| {
        let what = format!(
            "sent an answer that cannot be read: {}",
            shown(&e.to_string())
        );
        server.who.bad_answer(what)
    })
}

fn get<T: DeserializeOwned>(server: &Server, path: &str) -> Result<T, IssuerError> {
    good(server, &server.ask(&Question::get(path))?, "to answer")
}

/// step-ca's reason for not signing.
fn refused(server: &Server, reply: &Reply, what: &str) -> IssuerError {
    let said = serde_json::from_slice::<Refusal>(&reply.body).map(|r| r.message);
    let said = said.unwrap_or_default();
    let about = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let (why, hint) = match reply.status {
        401 => (
            Why::Forbidden,
            "the token was refused: the clocks of both machines must agree, and `url` in the policy must use one of the dnsNames in the CA's ca.json",
        ),
        // Identities' names have no spaces, so these words are never part of one.
        403 | 400 if about(&["requested duration", "notAfter "]) => (
            Why::Refused,
            "its provisioner does not allow so long a validity: reduce leaf_valid_days (and renew_before_days), or raise its limit: step ca provisioner update NAME --x509-max-dur=9528h",
        ),
        403 | 400 => (
            Why::Refused,
            "its policy, provisioner or template does not allow this certificate: change that, or the name or hosts in the policy",
        ),
        429 => (
            Why::Unreachable,
            "it limits the rate of requests: run the command again later to continue",
        ),
        500.. => (
            Why::Unreachable,
            "its log contains the reason; run the command again to continue",
        ),
        _ => (
            Why::BadAnswer,
            "check that it is step-ca that listens at `url`",
        ),
    };
    let what = match said.is_empty() {
        true => format!("refuses {what} with the status {}", reply.status),
        false => format!("refuses {what} ({}): {}", reply.status, shown(&said)),
    };
    server.who.fails(why, what, hint)
}

/// The key of the provisioner that the policy names.
fn provisioner_key(
    server: &Server,
    settings: &StepCaSettings,
    password: &Secret,
) -> Result<TokenKey, IssuerError> {
    let name = &settings.provisioner;
    let (mut cursor, mut others) = (String::new(), Vec::new());
    for _ in 0..MAX_PAGES {
        let page: Provisioners = get(server, &format!("/provisioners?limit=100{cursor}"))?;
        for found in page.provisioners {
            if found.name != *name {
                if others.len() < NAMED {
                    others.push(shown(&found.name));
                }
                continue;
            }
            let kid = found.key.map(|key| key.kid).unwrap_or_default();
            let Some(sealed) = found.encrypted_key.filter(|_| found.kind == "JWK") else {
                return Err(server.who.fails(
                    Why::Settings,
                    format!("has a provisioner {name} of type {}, whose key cannot be fetched", shown(&found.kind)),
                    "kpki uses JWK provisioners whose encrypted key is stored by the CA: step ca provisioner add kpki --type JWK --create",
                ));
            };
            return TokenKey::open(&kid, &sealed, password).map_err(|error| {
                let what = format!("has a provisioner {name}, but {error}");
                match error {
                    KeyError::WrongPassword => server.who.fails(
                        Why::Forbidden,
                        what,
                        "give the password that the provisioner was made with, in password_file in the policy or in KPKI_STEP_CA_PASSWORD",
                    ),
                    KeyError::Unusable(_) => server.who.fails(
                        Why::Settings,
                        what,
                        "make a provisioner for kpki: step ca provisioner add kpki --type JWK --create",
                    ),
                }
            });
        }
        let next = page.next_cursor;
        if next.is_empty() {
            break;
        }
        if !next
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        {
            return Err(server
                .who
                .bad_answer("sent a list of provisioners that is not consistent"));
        }
        cursor = format!("&cursor={next}");
    }
    let known = match others.is_empty() {
        true => "it lists none".to_owned(),
        false => format!("its provisioners are {}", others.join(", ")),
    };
    Err(server.who.fails(
        Why::Settings,
        format!("has no provisioner {name}"),
        format!("{known}; step ca provisioner add {name} --type JWK --create makes one"),
    ))
}

impl StepCa {
    fn sign_one(
        &self,
        request: &CertificateRequest<'_>,
        now: OffsetDateTime,
    ) -> Result<Issued, IssuerError> {
        let leaf = request.leaf;
        let who = &self.server.who;
        let unwritable = || {
            who.fails(
                Why::Settings,
                "cannot be asked for that",
                "this is a bug in kpki",
            )
        };
        // Without any host, step-ca uses the subject as one.
        let mut asked = leaf.clone();
        if asked.hosts.is_empty() {
            asked.hosts.push(Host::Dns(leaf.name.to_string()));
        }
        let sans: Vec<String> = asked.hosts.iter().map(ToString::to_string).collect();
        let csr = request.pkcs10_pem(&asked)?;
        let end = (now + Duration::days(leaf.days.into())).min(self.signer.not_after);
        let not_after = end.format(&Rfc3339).map_err(|_| unwritable())?;
        let body = || {
            // Each token is accepted once.
            let issued = OffsetDateTime::now_utc().unix_timestamp();
            let claims = Claims {
                iss: &self.settings.provisioner,
                aud: &self.audience,
                sub: leaf.name.as_str(),
                sans: &sans,
                iat: issued,
                nbf: issued,
                exp: issued + TOKEN_LIFE.whole_seconds(),
                jti: hex(&random::octets::<32>()?),
            };
            let token = self.key.token(&claims).ok_or_else(unwritable)?;
            serde_json::to_vec(&SignRequest {
                csr: &csr,
                ott: token.expose(),
                not_after: &not_after,
            })
            .map_err(|_| unwritable())
        };
        let reply = self.server.ask(&Question {
            path: "/1.0/sign",
            headers: HeaderMap::new(),
            body: Some(&body),
        })?;
        let signed: Signed = good(&self.server, &reply, leaf.name.as_str())?;
        let ders = pem::parse_certificates(signed.crt.as_bytes());
        let der: Option<CertificateDer<'_>> = ders.ok().and_then(|all| all.into_iter().next());
        let Some(der) = der else {
            return Err(who.bad_answer(format!("returned no certificate for {}", leaf.name)));
        };
        answer::checked(request, &der, &self.signer, &self.behind, now)
            .map_err(|wrong| wrong.of(who, leaf))
    }
}

impl Issuer for StepCa {
    fn sign(
        &self,
        requests: &[CertificateRequest<'_>],
        now: OffsetDateTime,
    ) -> Vec<Result<Issued, IssuerError>> {
        self.server
            .in_parallel(requests, |request| self.sign_one(request, now))
    }
}
