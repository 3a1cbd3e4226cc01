//! `kpki crl`

use std::{
    mem::ManuallyDrop,
    path::{Path, PathBuf},
};

use clap::Args;
use rustls_pki_types::{CertificateRevocationListDer, pem::PemObject};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{
    Code, Done, Failure, Global,
    error::fail,
    init_ca::{take_lock, tidy},
    passphrase, place,
    ui::{BOLD, GREEN, Ui},
};
use crate::{
    bootstrap::{
        ca::Ca,
        forgotten,
        lists::{self, CRL, CRL_DER, Crl as Written, Lists},
        rfc3339,
    },
    issuer::IssuerError,
    pki::SignedCrl,
    random,
    state::{Inventory, OutDir, check_writable, write_atomic},
};

/// How a section of a PEM file begins.
const BEGIN: &[u8] = b"-----BEGIN ";
/// Days until the next CRL must be available.
pub const DAYS: u32 = 30;

/// Write a new certificate revocation list (CRL)
///
/// It is written to ca/crl.pem. Programs that check it refuse every certificate once the CRL has expired, so it must be
/// written again before that, even if nothing was revoked. During a CA rotation the CRLs of both CAs are written; with an
/// intermediate CA, also that of the root, if root.key is there. With --der each is a file of its own: kafka.crl, and
/// kafka-g2.crl for the CA of generation 2.
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
    /// Also write it to this file, which may be an earlier CRL
    #[arg(long, value_name = "FILE", value_parser = super::new_path)]
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
        if let Some(file) = &self.out_file {
            check_place(file)?;
            let place = file.canonicalize().ok();
            if self.der && place.is_some() && place == out.ca_file(CRL).canonicalize().ok() {
                return fail(
                    Code::FileExists,
                    format!("{} is the CA's own CRL, which is PEM", file.display()),
                    "choose another --out-file",
                );
            }
        }
        let der = self.der.then(|| match &self.out_file {
            Some(file) => file.clone(),
            None => out.ca_file(CRL_DER),
        });
        let (lists, ders) = write(global, &out, &ca, self.days, der.as_deref(), ui)?;
        let lists = ManuallyDrop::new(lists);
        let mut files = vec![out.ca_file(CRL)];
        files.extend(ders);
        match &self.out_file {
            Some(file) if !self.der => {
                write_atomic(file, lists.pem.as_bytes(), 0o644, None)?;
                files.push(file.clone());
            }
            _ => {}
        }
        for file in &files {
            ui.say(format!("{GREEN}wrote{GREEN:#} {}", file.display()));
        }
        ui.say(format!("  {}", described(&lists.own)));
        for other in &lists.others {
            ui.say(format!("  {}: {}", other.issuer, described(other)));
        }
        let it = match lists.others.is_empty() {
            true => "it",
            false => "each",
        };
        ui.say(format!(
            "\n{BOLD}next:{BOLD:#} publish {it} to the programs that check it, and run this again before {}",
            until(&lists.own).date()
        ));
        let mut document = document(&lists.own);
        document["issuer"] = json!(lists.own.issuer);
        document["files"] = json!(files);
        let each = lists.all().map(|crl| {
            let mut each = self::document(crl);
            each["issuer"] = json!(crl.issuer);
            each
        });
        document["lists"] = json!(each.collect::<Vec<_>>());
        ui.document(&document);
        Ok(())
    }
}

fn check_place(file: &Path) -> Done {
    place::check(file, "a CRL", "--out-file", is_crl)
}

/// True of CRLs and nothing else, PEM or DER.
fn is_crl(bytes: &[u8]) -> bool {
    let mut sections = CertificateRevocationListDer::pem_slice_iter(bytes).peekable();
    if sections.peek().is_none() {
        return SignedCrl::is_one(bytes);
    }
    let begun = bytes.windows(BEGIN.len()).filter(|part| *part == BEGIN);
    let (begun, lists) = (begun.count(), sections.collect::<Vec<_>>());
    let is_one = |list: &Result<CertificateRevocationListDer<'_>, _>| {
        list.as_ref().is_ok_and(|der| SignedCrl::is_one(der))
    };
    begun == lists.len() && lists.iter().all(is_one)
}

/// Signs and writes the next CRLs, and as DER to the files at `der`, which it returns.
///
/// # Errors
/// If the CA cannot be opened, or something cannot be written.
pub fn write(
    global: &Global,
    out: &OutDir,
    ca: &Ca,
    days: u32,
    der: Option<&Path>,
    ui: &Ui,
) -> Result<(Lists, Vec<PathBuf>), Failure> {
    if ca.issuer.keeps_its_own_list() {
        return Err(IssuerError::OwnList.into());
    }
    let passphrase = passphrase::existing(global, &ca.issuer)?;
    let now = OffsetDateTime::now_utc();
    let lock = take_lock(out, ui)?;
    ca.check_unchanged(out, &lock)?;
    let (read, current) = std::thread::scope(|scope| {
        scope.spawn(random::seed);
        let current = scope.spawn(|| lists::read(out, &ca.trust));
        (Inventory::read(out), current.join())
    });
    let current = match current {
        Ok(current) => current?.unwrap_or_default(),
        Err(panic) => std::panic::resume_unwind(panic),
    };
    // Freeing a million strings one by one takes longer than exiting.
    let mut inventory = ManuallyDrop::new(read?);
    let keys = lists::open(out, ca, passphrase.as_ref(), &inventory, now)?;
    for lacking in &keys.lacking {
        ui.warn(lacking);
    }
    // What is in ca/ is kpki's own, and the file that was named was looked at before.
    if let Some(der) = der.filter(|der| *der != out.ca_file(CRL_DER)) {
        let files = keys.der_files(&inventory, der).into_iter();
        for file in files.filter(|file| file != der) {
            check_place(&file)?;
        }
    }
    check_writable(&out.ca_file(CRL))?;
    let next = keys.next_lists(&inventory, days, now);
    forgotten::compare(out, &current, &next, &inventory, now)?;
    let lists = lists::write(out, &lock, &mut inventory, &keys, next, now)?;
    // Under the lock: the next writer removes files that look abandoned.
    let files = der.map(|der| lists.write_der(der)).transpose()?;
    drop(lock);
    Ok((lists, files.unwrap_or_default()))
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
