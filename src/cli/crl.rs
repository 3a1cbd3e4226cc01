//! `kpki crl`

use std::{mem::ManuallyDrop, path::PathBuf};

use clap::Args;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{
    Done, Failure, Global,
    init_ca::{take_lock, tidy},
    passphrase,
    ui::{BOLD, GREEN, Ui},
};
use crate::{
    bootstrap::{
        ca::Ca,
        revoke::{CRL, CRL_DER, Crl as Written, write_crl},
        rfc3339,
    },
    state::{Inventory, OutDir, write_atomic},
};

/// Days until the next CRL must be available.
pub const DAYS: u32 = 30;

/// Write a new certificate revocation list (CRL)
///
/// It is written to ca/crl.pem. Programs that check it refuse every certificate once the CRL has expired, so it must be
/// written again before that, even if nothing was revoked.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki crl
  kpki crl --days 7 --der --out-file /var/www/pki/kafka.crl
  openssl crl -in out/ca/crl.pem -noout -text")]
pub struct Crl {
    /// Days until the CRL expires (its nextUpdate)
    #[arg(long, default_value_t = DAYS, value_name = "N", value_parser = super::whole_number::<1, 3650>)]
    days: u32,
    /// Also write it to this file
    #[arg(long, value_name = "FILE", value_parser = super::utf8_path)]
    out_file: Option<PathBuf>,
    /// Write DER, as CRL distribution points need it; without --out-file, to ca/crl.der
    #[arg(long)]
    der: bool,
}

impl Crl {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        let out = OutDir::new(&global.out);
        tidy(&out, ui)?;
        let ca = Ca::open(&out)?;
        let crl = write(global, &out, &ca, self.days, ui)?;
        let mut files = vec![out.ca_file(CRL)];
        let copy = match (&self.out_file, self.der) {
            (Some(file), _) => Some(file.clone()),
            (None, true) => Some(out.ca_file(CRL_DER)),
            (None, false) => None,
        };
        if let Some(file) = copy {
            let bytes = match self.der {
                true => &crl.der,
                false => crl.pem.as_bytes(),
            };
            write_atomic(&file, bytes, 0o644, None)?;
            files.push(file);
        }
        for file in &files {
            ui.say(format!("{GREEN}wrote{GREEN:#} {}", file.display()));
        }
        ui.say(format!("  {}", described(&crl)));
        ui.say(format!(
            "\n{BOLD}next:{BOLD:#} publish it to the programs that check it, and run this again before {}",
            until(&crl).date()
        ));
        let mut document = document(&crl);
        document["issuer"] = json!(ca.trust.signer().subject);
        document["files"] = json!(files);
        ui.document(&document);
        Ok(())
    }
}

/// Signs and writes the next CRL.
///
/// # Errors
/// If the CA cannot be opened, or something cannot be written.
pub fn write(
    global: &Global,
    out: &OutDir,
    ca: &Ca,
    days: u32,
    ui: &Ui,
) -> Result<Written, Failure> {
    let issuer = ca.open_issuer(passphrase::existing(global, &ca.issuer)?.as_ref())?;
    let lock = take_lock(out, ui)?;
    ca.issuer.check_unchanged(&lock)?;
    // Freeing a million strings one by one takes longer than exiting.
    let mut inventory = ManuallyDrop::new(Inventory::read(out)?);
    let subject = &ca.trust.signer().subject;
    let when = (days, OffsetDateTime::now_utc());
    Ok(write_crl(
        out,
        &lock,
        &mut inventory,
        &*issuer,
        subject,
        when,
    )?)
}

fn until(crl: &Written) -> OffsetDateTime {
    // The date could be represented when it was signed.
    crl.list.next_update().unwrap_or(crl.list.now)
}

/// Its number, length and expiry.
pub fn described(crl: &Written) -> String {
    let certificates = match crl.list.entries.len() {
        1 => "1 certificate".to_owned(),
        many => format!("{many} certificates"),
    };
    format!(
        "number {}, {certificates}, expires {}",
        crl.list.number,
        until(crl).date()
    )
}

/// The same for machines.
pub fn document(crl: &Written) -> Value {
    json!({
        "number": crl.list.number,
        "this_update": rfc3339(crl.list.this_update()),
        "next_update": rfc3339(until(crl)),
        "revoked": crl.list.entries.len(),
    })
}
