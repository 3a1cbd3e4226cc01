//! `kpki crl`

use std::path::PathBuf;

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

/// Days until the next list is there at the latest.
pub const DAYS: u32 = 30;

/// Write the list of revoked certificates anew
///
/// It goes to ca/crl.pem. Whoever checks it refuses every certificate once its time is over, so it is to be written anew
/// before that, whether or not something was revoked.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki crl
  kpki crl --days 7 --der --out-file /var/www/pki/kafka.crl
  openssl crl -in out/ca/crl.pem -noout -text")]
pub struct Crl {
    /// Days until the next list is there at the latest
    #[arg(long, default_value_t = DAYS, value_name = "N", value_parser = super::whole_number::<1, 3650>)]
    days: u32,
    /// Write it there as well
    #[arg(long, value_name = "FILE", value_parser = super::utf8_path)]
    out_file: Option<PathBuf>,
    /// As DER, which certificates' distribution points want; without --out-file it goes to ca/crl.der
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
            "\n{BOLD}next:{BOLD:#} give it to whoever checks it, and run this again before {}",
            until(&crl).date()
        ));
        let mut document = document(&crl);
        document["issuer"] = json!(ca.trust.signer().subject);
        document["files"] = json!(files);
        ui.document(&document);
        Ok(())
    }
}

/// Signs and writes the next list.
///
/// # Errors
/// When the CA cannot be opened, or something cannot be written.
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
    let mut inventory = Inventory::read(out)?;
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
    // Its date was expressed when it was signed.
    crl.list.next_update().unwrap_or(crl.list.now)
}

/// Its number, length and end.
pub fn described(crl: &Written) -> String {
    let certificates = match crl.list.entries.len() {
        1 => "1 certificate".to_owned(),
        many => format!("{many} certificates"),
    };
    format!(
        "number {}, {certificates}, to be replaced before {}",
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
