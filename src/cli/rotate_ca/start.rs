//! `kpki rotate-ca start`: the next CA is a new one, an existing one, or one below a company's root.

use std::path::Path;

use clap::Args;
use serde_json::json;

use super::{
    super::{
        Done, Failure, Global,
        brought::{Bringing, check_new, check_pending, hand_out, put_away, read_answer, remark},
        passphrase,
        ui::{BOLD, Ui},
        whole_number,
    },
    rotate,
};
use crate::{
    bootstrap::{
        brought::Brought,
        rotate::{Outcome, Rotating, Successor, Tools},
    },
    issuer::IssuerError,
    keystore::OpenedKey,
    pki::{Dn, KeyAlgorithm, MIN_CA_LIFE},
    secret::Secret,
    state::{self, Lock},
};

#[derive(Debug, Args)]
pub struct Start {
    /// The next CA's subject; a generation number is appended to its CN [default: as before]
    #[arg(long, value_name = "DN")]
    subject: Option<String>,
    /// The next CA's key algorithm: ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072 or rsa-4096 [default: as before]
    #[arg(long, value_name = "ALG")]
    key: Option<KeyAlgorithm>,
    /// Validity of the next CA in days [default: as before]
    #[arg(long, value_name = "N", value_parser = whole_number::<MIN_CA_LIFE, { u32::MAX }>)]
    days: Option<u32>,
    #[command(flatten)]
    bringing: Bringing,
}

impl Start {
    pub(super) fn is_request(&self) -> bool {
        self.bringing.request
    }

    /// Refuses what cannot begin now, before a passphrase is asked for.
    pub(super) fn check(&self, rotating: &Rotating<'_>) -> Done {
        rotating.check_idle()?;
        if self.bringing.install_cert.is_some() {
            rotating.awaited()?;
        } else if !self.is_request() {
            rotating.check_not_pending()?;
        }
        Ok(())
    }

    /// Requests the next CA's certificate, or gives out a pending request.
    pub(super) fn request(
        &self,
        mut rotating: Rotating<'_>,
        lock: &Lock,
        global: &Global,
        ui: &Ui,
    ) -> Done {
        let file = self.bringing.out_file.as_deref();
        if let Some(file) = file {
            state::check_writable(file)?;
        }
        let (out, successor) = (rotating.out, self.successor()?);
        let request = match rotating.pending()? {
            None => {
                check_new(file)?;
                let passphrase = passphrase::existing(global, &rotating.ca.issuer)?;
                rotating.request(lock, passphrase.as_ref(), &successor)?
            }
            Some(pending) => {
                let wanted = self.subject.as_ref().map(|_| rotating.subject(&successor));
                let wanted = wanted.transpose()?.map(|wanted| wanted.to_string());
                let again = "kpki rotate-ca start --request prints it; to make a different one, first: kpki rotate-ca abort";
                check_pending(&pending.request, wanted, self.key, again)?;
                pending.request
            }
        };
        hand_out(out, &request, file, "rotate-ca start", ui)
    }

    /// Begins the rotation.
    pub(super) fn run(
        &self,
        rotating: Rotating<'_>,
        tools: Tools<'_>,
        ui: &Ui,
    ) -> Result<Outcome, Failure> {
        if let Some(brought) = self.brought(&rotating, tools.passphrase, ui)? {
            remark(&brought, ui);
            let outcome = rotating.start_with(tools, &brought)?;
            if let Some(key_file) = &self.bringing.import_key {
                put_away(key_file, ui);
            }
            return Ok(outcome);
        }
        let trust = &rotating.ca.trust;
        let above = (trust.own().der != trust.root.der).then(|| trust.root.subject.clone());
        let rotate = rotate(&rotating);
        let outcome = rotating.start(tools, &self.successor()?)?;
        if let Some(root) = above {
            ui.warn(format!(
                "the next CA has a root of its own: it is not below {root}. To stay below that root instead: {rotate} abort, then {rotate} start --request, or --import-cert FILE --import-key FILE if you have the CA's key"
            ));
        }
        Ok(outcome)
    }

    /// The CA that was given, checked.
    fn brought(
        &self,
        rotating: &Rotating<'_>,
        passphrase: Option<&Secret>,
        ui: &Ui,
    ) -> Result<Option<Brought>, Failure> {
        let read = |file: &Path| -> Result<OpenedKey, Failure> {
            Ok(OpenedKey {
                certificates: read_answer(file)?,
                pkcs8: rotating.awaited()?.open(rotating.out, passphrase)?,
            })
        };
        let bringing = &self.bringing;
        let opened = match (&bringing.import_key, &bringing.install_cert) {
            (Some(file), _) => bringing.read_key(file, ui)?,
            (_, Some(file)) => read(file)?,
            _ => return Ok(None),
        };
        Ok(Some(
            rotating.read_next(&opened.pkcs8, &opened.certificates)?,
        ))
    }

    fn successor(&self) -> Result<Successor, IssuerError> {
        let subject = self.subject.as_deref().map(str::parse::<Dn>).transpose()?;
        Ok(Successor {
            subject,
            key: self.key,
            days: self.days,
        })
    }
}

/// Drops a pending request.
pub(super) fn drop_request(rotating: &Rotating<'_>, lock: &Lock, ui: &Ui) -> Done {
    rotating.drop_request(lock)?;
    let next = format!("{} start begins a rotation", rotate(rotating));
    ui.say("dropped the request for the next CA, and deleted its key");
    ui.say(format!("\n{BOLD}next:{BOLD:#} {next}"));
    ui.document(&json!({
        "state": super::word(rotating),
        "generation": rotating.generation(),
        "truststores": 0,
        "certificates": 0,
        "finished_only": false,
        "next": next,
    }));
    Ok(())
}
