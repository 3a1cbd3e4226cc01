//! The mistakes that a policy can have beside those of form and those of single ACL bindings.

use crate::{code::codes, pki::principal::RuleError};

codes! {
    /// A mistake in what a policy means.
    pub enum PolicyCode {
        AnonymousBrokers = "anonymous-brokers", "brokers would be User:ANONYMOUS to each other";
        BadAddress = "bad-address", "text that is not `host:port`";
        BadCrlUrl = "bad-crl-url", "a URL that a CRL cannot be read from";
        BadDays = "bad-days", "validity periods that contradict each other";
        BadFingerprint = "bad-fingerprint", "text that is not a SHA-256 fingerprint";
        BadHost = "bad-host", "text that is not a host name or an address";
        BadKeyUri = "bad-key-uri", "a PKCS#11 URI that does not identify a key, or has other attributes";
        BadListenerName = "bad-listener-name", "a listener name that Kafka does not accept";
        BadName = "bad-name", "a name with invalid characters";
        BadOwner = "bad-owner", "an owner that is not UID:GID";
        BadPath = "bad-path", "a path that is not absolute, or that a configuration file cannot contain";
        BadPrincipal = "bad-principal", "a principal that no client can have, or that `super.users` cannot contain";
        BadProperty = "bad-property", "a name or value that a configuration file cannot contain";
        BadScope = "bad-scope", "a scope that would limit nothing";
        BadSubject = "bad-subject", "a subject that the CA's certificate cannot have";
        BadUrl = "bad-url", "a URL that is not valid, or that secrets must not be sent to";
        BadVersion = "bad-version", "a version that Kafka does not have, or kpki does not know";
        DuplicateId = "duplicate-id", "two brokers with one id";
        DuplicateName = "duplicate-name", "two identities, or two listeners, with one name";
        DuplicatePort = "duplicate-port", "two listeners on one port";
        IncludeEmpty = "include-empty", "an entry of `include` that matches no file";
        IncludeFailed = "include-failed", "a file that cannot be included";
        IncludeItself = "include-itself", "a policy that includes itself";
        IncludeTwice = "include-twice", "a file that is included under two scopes";
        ListedTwice = "listed-twice", "an entry that occurs twice in a list";
        MappingRuleMalformed = "mapping-rule-malformed", "text that is not a principal mapping rule";
        MappingRulePattern = "mapping-rule-pattern", "a mapping rule whose pattern Java refuses, or kpki cannot be sure of";
        MappingRuleReplacement = "mapping-rule-replacement", "a mapping rule whose replacement Kafka refuses";
        ModeAndVersion = "mode-and-version", "a mode that this version of Kafka does not support";
        NoBroker = "no-broker", "a cluster without a broker";
        NoCaFile = "no-ca-file", "a server without the CA of its own certificate";
        NoController = "no-controller", "a KRaft cluster without a controller";
        NoEffect = "no-effect", "a key that has no effect there";
        NoListener = "no-listener", "a way to authenticate that no listener accepts";
        NoRule = "no-rule", "a certificate that no mapping rule matches, so that brokers refuse it";
        NoSuchPort = "no-such-port", "a port that no listener has";
        NoWildcard = "no-wildcard", "a wildcard or prefix where one name is required";
        Nobody = "nobody", "an admin or roles of a client that does not authenticate";
        NotAPolicy = "not-a-policy", "a file that is not a policy; its content is not shown";
        OutsideScope = "outside-scope", "a client or grant outside the scope of its file";
        ReservedName = "reserved-name", "a listener named `CONTROLLER`, which kpki adds itself";
        SameAddress = "same-address", "two brokers that clients would reach at one address";
        SetByKpki = "set-by-kpki", "a setting under `properties` that the rest of the policy determines";
        SharedPrincipal = "shared-principal", "mapping rules that map two identities to one principal";
        TwoKeys = "two-keys", "mutually exclusive keys, such as `allow` and `deny`";
        TwoResources = "two-resources", "an entry that names two kinds of resources";
        UnknownClient = "unknown-client", "the name of a client that the policy does not have";
        UnknownLayout = "unknown-layout", "a layout that kpki does not know";
        UnknownListener = "unknown-listener", "the name of a listener that the cluster does not have";
        UnreachableRule = "unreachable-rule", "a mapping rule after DEFAULT, which matches every certificate";
        UnsaidSuperUser = "unsaid-super-user", "mapping rules that make a client a super user";
    }
}

impl From<&RuleError> for PolicyCode {
    fn from(error: &RuleError) -> Self {
        match error {
            RuleError::NotARule { .. } => Self::MappingRuleMalformed,
            RuleError::Pattern { .. } => Self::MappingRulePattern,
            RuleError::Replacement { .. } => Self::MappingRuleReplacement,
        }
    }
}
