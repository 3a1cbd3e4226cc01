//! `kpki init-ca --import-key`, `--request` and `--install-cert`: an existing CA, or an intermediate below one.

use std::path::Path;

use serde_json::json;
use time::OffsetDateTime;

use super::{
    super::{
        Code, Done, Global,
        brought::{Bringing, check_new, check_pending, hand_out, put_away, read_answer, remark},
        fail, passphrase,
        shell::{kpki, quote_path},
        ui::{BOLD, GREEN, Ui},
    },
    InitCa, SUBJECT, begin, protection, refuse_existing,
};
use crate::{
    bootstrap::{
        brought::{self, AwaitedKey, Brought},
        ca::{self, Ca, CaError},
        rfc3339,
        trust::Trust,
    },
    issuer::IssuerError,
    keystore::OpenedKey,
    pki::Dn,
    state::{self, OutDir},
};

pub(super) fn run(verb: &InitCa, global: &Global, out: &OutDir, ui: &Ui) -> Done {
    let Bringing {
        import_key,
        install_cert,
        ..
    } = &verb.bringing;
    match (import_key, install_cert) {
        (Some(key), _) => import(verb, key, global, out, ui),
        (_, Some(answer)) => install(answer, global, out, ui),
        _ => request(verb, global, out, ui),
    }
}

/// Refuses where there is a CA: another one does not take its place in one step.
fn refuse_second(out: &OutDir) -> Done {
    if Ca::exists(out)? && !Ca::waits(out) {
        let exists = CaError::Exists(out.ca().display().to_string());
        return fail(
            Code::CaExists,
            exists.to_string(),
            "kpki rotate-ca start replaces it: with a new one, with an existing one (--import-key), or with one below a company's root (--request)",
        );
    }
    Ok(())
}

fn import(verb: &InitCa, key_file: &Path, global: &Global, out: &OutDir, ui: &Ui) -> Done {
    refuse_second(out)?;
    refuse_existing(out)?;
    let OpenedKey {
        pkcs8,
        certificates,
    } = verb.bringing.read_key(key_file, ui)?;
    let brought = brought::read(&pkcs8, &certificates, OffsetDateTime::now_utc())?;
    remark(&brought, ui);
    let protection = protection(verb.no_passphrase, global, ui)?;
    let lock = begin(out, ui)?;
    let Brought { ca, trust, .. } = brought;
    ca::write(out, &lock, ca, &trust, &protection)?;
    show(out, &trust, "imported", ui);
    put_away(key_file, ui);
    ui.say(format!(
        "\n{BOLD}next:{BOLD:#} {0} up POLICY, or {0} issue kafka1",
        kpki(out.root())
    ));
    Ok(())
}

fn request(verb: &InitCa, global: &Global, out: &OutDir, ui: &Ui) -> Done {
    let file = verb.bringing.out_file.as_deref();
    if let Some(file) = file {
        state::check_writable(file)?;
    }
    if let Some(request) = brought::pending(out)?.filter(|_| Ca::waits(out)) {
        let wanted = verb.subject.parse::<Dn>().map_err(IssuerError::from)?;
        let wanted = Some(wanted.to_string()).filter(|_| verb.subject != SUBJECT);
        let again = format!(
            "kpki init-ca --request prints it; to make a different one, first: mv {0} {0}.old",
            quote_path(&out.ca())
        );
        check_pending(&request, wanted, verb.key, &again)?;
        return hand_out(out, &request, file, "init-ca", ui);
    }
    refuse_second(out)?;
    check_new(file)?;
    let subject = verb.subject.parse::<Dn>().map_err(IssuerError::from)?;
    let protection = protection(verb.no_passphrase, global, ui)?;
    let lock = begin(out, ui)?;
    let request = brought::request(
        out,
        &lock,
        &subject,
        verb.key.unwrap_or_default(),
        &protection,
    )?;
    drop(lock);
    hand_out(out, &request, file, "init-ca", ui)
}

fn install(answer: &Path, global: &Global, out: &OutDir, ui: &Ui) -> Done {
    refuse_second(out)?;
    let key = AwaitedKey::read(out)?;
    let certificates = read_answer(answer)?;
    let passphrase = match key.is_sealed(out)? {
        true => Some(passphrase::of_ca(global)?),
        false => None,
    };
    let opened = key.open(out, passphrase.as_ref())?;
    let brought = brought::read(&opened, &certificates, OffsetDateTime::now_utc())?;
    drop(opened);
    remark(&brought, ui);
    let lock = begin(out, ui)?;
    key.install(out, &lock, &brought)?;
    show(out, &brought.trust, "installed", ui);
    ui.say(format!(
        "\n{BOLD}next:{BOLD:#} {0} backup FILE, then {0} up POLICY, or {0} issue kafka1",
        kpki(out.root())
    ));
    Ok(())
}

fn show(out: &OutDir, trust: &Trust, done: &str, ui: &Ui) {
    let (root, signer) = (&trust.root, trust.signer());
    let path = |file: &str| out.ca_file(file).display().to_string();
    ui.say(format!(
        "{GREEN}{done}{GREEN:#} {} (until {})",
        signer.subject,
        signer.not_after.date()
    ));
    let above = trust.intermediates().iter().skip(1).chain([root]);
    for ca in above.filter(|ca| ca.der != signer.der) {
        ui.say(format!("  below {}", ca.subject));
    }
    ui.say(format!(
        "  {}  the certificate that clients and brokers trust",
        path("ca.crt")
    ));
    ui.say(format!(
        "  {}  the signing key: keep a backup, and store the passphrase separately",
        path("ca.key")
    ));
    let chain = trust.intermediates().iter().chain([root]);
    let chain: Vec<_> = chain.map(|ca| &ca.subject).collect();
    ui.document(&json!({
        "state": done,
        "subject": signer.subject,
        "issuer": signer.issuer,
        "serial": signer.serial,
        "not_after": rfc3339(signer.not_after),
        "chain": chain,
        "root": root.subject,
        "certificate": path("ca.crt"),
        "key": path("ca.key"),
    }));
}
