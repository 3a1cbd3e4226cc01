//! `kpki trust fetch`

use std::{io::IsTerminal, path::PathBuf, time::Duration};

use clap::Args;

use super::{
    super::{
        CliError, Code, Done, Failure, fail,
        new_store::Format,
        planned::confirm,
        store_file::StorePasswords,
        ui::{BOLD, Ui},
    },
    NewTrust, check_place, colons, remark,
};
use crate::{
    pki::{Certificate, unhex},
    printable::Printable,
    probe::{self, ProbeError, Served},
};

const PATIENCE: Duration = Duration::from_secs(10);

/// Create a truststore with the CA of an endpoint
///
/// The chain is shown with its fingerprints, and nothing is trusted before you confirm it: on a terminal, with
/// --expect-fingerprint, which should not come from the endpoint itself, or without any check with --yes. The
/// truststore gets the topmost CA of the chain, so that it still works after the endpoint's certificate is renewed.
/// Without --out-file, the certificate is printed to standard output as PEM.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki trust fetch broker.example.com:9093 --out-file truststore.p12
  kpki trust fetch 10.0.0.11:9093 --server-name kafka1.example.com --out-file ca.pem
  kpki trust fetch broker.example.com:9093 --expect-fingerprint 5F:1C:… --out-file ca.pem
  kpki trust fetch broker.example.com:9093 --from truststore.p12 --out-file truststore-2.p12")]
pub struct Fetch {
    /// The endpoint
    #[arg(value_name = "HOST:PORT")]
    endpoint: String,
    /// The name to ask the endpoint for (SNI) [default: the endpoint's host]
    #[arg(long, value_name = "HOST")]
    server_name: Option<String>,
    /// SHA-256 of the CA certificate, or of another certificate in the chain: hex, with or without colons
    #[arg(long, value_name = "SHA256", value_parser = fingerprint)]
    expect_fingerprint: Option<String>,
    /// The new truststore; PEM if its name ends with .pem or .crt
    #[arg(long, value_name = "FILE", value_parser = super::super::new_path)]
    out_file: Option<PathBuf>,
    /// An existing truststore to start from
    #[arg(long, value_name = "STORE")]
    from: Option<PathBuf>,
    /// The format of the new truststore [default: by its name, else as STORE, else pkcs12]
    #[arg(long, value_name = "FORMAT")]
    to: Option<Format>,
    #[command(flatten)]
    passwords: StorePasswords,
    /// Trust the endpoint's CA without asking
    #[arg(long)]
    yes: bool,
}

/// A SHA-256 as lower-case hex.
fn fingerprint(text: &str) -> Result<String, String> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text
        .strip_prefix("sha256:")
        .unwrap_or(&text)
        .replace(':', "");
    match unhex(&digits).is_some_and(|octets| octets.len() == 32) {
        true => Ok(digits),
        false => Err("it must be 64 hexadecimal digits, with or without colons".to_owned()),
    }
}

impl Fetch {
    pub(in super::super) fn run(self, ui: &Ui) -> Done {
        check_place(self.out_file.as_deref())?;
        let (from, file) = (self.from.as_deref(), self.out_file.as_deref());
        let mut trust = NewTrust::start(from, &self.passwords, (self.to, file), ui)?;
        let host = self.endpoint.rsplit_once(':').map_or("", |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = self.server_name.as_deref().unwrap_or(host);
        let served = probe::served(&self.endpoint, name, None, PATIENCE);
        let served = served.map_err(|error| unseen(&self.endpoint, &error))?;
        let chain = linked(&served, &self.endpoint)?;
        self.show(&chain, &served, ui);
        // Never empty: the leaf is in it.
        let Some(anchor) = chain.last() else {
            return Ok(());
        };
        self.weigh(&chain, anchor, ui);
        self.believe(&chain, anchor, served.proved, ui)?;
        trust.add(vec![anchor.clone()], ui);
        trust.write(file, ui)
    }

    fn show(&self, chain: &[Certificate], served: &Served, ui: &Ui) {
        // With -q only for a decision that is still to be made.
        let decided = self.yes || self.expect_fingerprint.is_some();
        let say = |text: String| match decided {
            true => ui.note(text),
            false => ui.complain(text),
        };
        say(format!(
            "{BOLD}{}{BOLD:#} speaks {} and sends:",
            self.endpoint, served.protocol
        ));
        for cert in chain {
            say(format!("  {}", cert.subject));
            say(format!("    signed by {}", cert.issuer));
            say(format!("    until {}", cert.not_after.date()));
            say(format!("    SHA-256 {}", colons(&cert.fingerprint())));
        }
        let more = served.chain.len() - chain.len();
        if more > 0 {
            ui.warn(format!(
                "it also sends certificates that are not part of this chain, or cannot be read: {more}"
            ));
        }
        match served.client_authorities.as_deref() {
            None => {}
            Some([]) => ui.note("it asks for a client certificate"),
            Some(authorities) => ui.note(format!(
                "it asks for a client certificate of one of these CAs: {}",
                super::super::ui::named(authorities, 5)
            )),
        }
    }

    /// Warns if the chain is incomplete.
    fn weigh(&self, chain: &[Certificate], anchor: &Certificate, ui: &Ui) {
        if chain.len() == 1 && anchor.subject != anchor.issuer {
            ui.warn(format!(
                "{} does not send the certificate of its CA, {}, so only its own certificate is trusted, and must be fetched again after each renewal; to avoid this, ask its operator for the CA certificate, and run kpki trust add",
                self.endpoint, anchor.issuer
            ));
        } else if chain.len() == 1 {
            remark(anchor, ui);
        } else if anchor.subject != anchor.issuer {
            ui.warn(format!(
                "{} is an intermediate CA, signed by {}, which is not in the chain: Java accepts this, but OpenSSL and librdkafka need the root",
                anchor.subject, anchor.issuer
            ));
        }
    }

    /// Continues once the certificate is confirmed.
    fn believe(&self, chain: &[Certificate], anchor: &Certificate, proved: bool, ui: &Ui) -> Done {
        if let Some(expected) = &self.expect_fingerprint {
            // Every certificate is signed by the next. The leaf's key signed the handshake, unless that could not be
            // seen.
            let trusted = match proved {
                true => chain,
                false => std::slice::from_ref(anchor),
            };
            if trusted.iter().any(|cert| cert.fingerprint() == *expected) {
                return Ok(());
            }
            return fail(
                Code::FingerprintMismatch,
                format!(
                    "no certificate that {} sends has the SHA-256 fingerprint {}; nothing was written",
                    self.endpoint,
                    colons(expected)
                ),
                "the connection may be intercepted, or the CA has changed: ask the endpoint's operator",
            );
        }
        let asks = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        if !self.yes && !asks {
            return fail(
                Code::ConfirmationNeeded,
                format!(
                    "trusting {} needs confirmation, but there is no terminal to ask on; nothing was written",
                    anchor.subject
                ),
                format!(
                    "ask the endpoint's operator for the fingerprint; if it is the same, add --expect-fingerprint {}",
                    anchor.fingerprint()
                ),
            );
        }
        confirm(ui, self.yes, &format!("trusting {}", anchor.subject))
    }
}

/// The chain from the leaf up, by verified signatures, whatever order the certificates were sent in.
fn linked(served: &Served, endpoint: &str) -> Result<Vec<Certificate>, Failure> {
    let leaf = served.leaf().map_err(|error| {
        CliError::new(
            Code::BadCertificate,
            format!("{endpoint} sends a certificate that cannot be read: {error}"),
        )
    })?;
    let others = served.chain.iter().skip(1);
    let mut others: Vec<Certificate> = others
        .filter_map(|der| Certificate::from_der(der).ok())
        .collect();
    let mut chain = vec![leaf];
    while let Some(last) = chain.last() {
        let signer = others.iter().position(|ca| {
            ca.is_ca && last.is_issued_by(ca) && last.is_signed_by(ca) && last.der != ca.der
        });
        match signer {
            Some(at) => chain.push(others.swap_remove(at)),
            None => break,
        }
    }
    Ok(chain)
}

/// Why no certificate was received.
fn unseen(endpoint: &str, error: &ProbeError) -> Failure {
    let (code, hint) = match error {
        ProbeError::Address => (Code::Usage, "write it as broker.example.com:9093"),
        ProbeError::UnknownHost(_) => (Code::UnknownHost, "check the name"),
        ProbeError::Refused | ProbeError::Unreachable(_) => (
            Code::Unreachable,
            "check the address, and whether the server is running",
        ),
        ProbeError::NoConnection | ProbeError::Silent | ProbeError::Slow => (
            Code::TimedOut,
            "check the address, and the firewalls in between",
        ),
        ProbeError::Closed | ProbeError::NotTls(_) => (
            Code::WrongProtocol,
            "this is a listener without TLS (PLAINTEXT or SASL_PLAINTEXT), which has no certificate; ask for the port of an SSL or SASL_SSL listener",
        ),
        _ => (
            Code::Tls,
            "openssl s_client -connect HOST:PORT shows the details",
        ),
    };
    let error = CliError::new(
        code,
        format!("{endpoint}: {}", Printable(&error.to_string())),
    )
    .hint(hint);
    match code {
        Code::Usage => error.usage().into(),
        _ => error.into(),
    }
}
