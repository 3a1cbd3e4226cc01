import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.NullNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.metrics.Metrics;
import org.apache.kafka.common.metrics.internals.PluginMetricsImpl;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.security.auth.KafkaPrincipal;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.apache.kafka.common.utils.SecurityUtils;
import org.apache.kafka.metadata.authorizer.StandardAcl;
import org.apache.kafka.metadata.authorizer.StandardAuthorizer;
import org.apache.kafka.metadata.authorizer.StandardAuthorizerData;
import org.apache.kafka.server.authorizer.Action;
import org.apache.kafka.server.authorizer.AuthorizableRequestContext;

/** Asks the broker's own authorizer, without the broker. */
final class AuthorizerJudge {
    /** One decision takes microseconds; one that takes this long is Kafka's search going round in circles. */
    private static final long PATIENCE_NANOS = 1_000_000_000L;

    /**
     * {@code bindings}, {@code requests}: files of JSON lines; {@code decisions}: the file to write, a line per request, in
     * order: {@code {"decision":"ALLOWED"|"DENIED"}}, or {@code {"error":...}} where the authorizer itself fails.
     * {@code super_users} as in super.users, {@code allow_everyone}. With {@code explain}, a decision has the {@code acl} that
     * the broker would log, too. A request without a {@code name} is one by resource type.
     */
    static JsonNode authorize(JsonNode question) throws Exception {
        boolean explain = question.path("explain").asBoolean();
        try (StandardAuthorizer authorizer = new StandardAuthorizer();
                PluginMetricsImpl metrics = new PluginMetricsImpl(new Metrics(), Map.of());
                BufferedReader requests = Files.newBufferedReader(Path.of(Judge.text(question, "requests")));
                BufferedWriter decisions = Files.newBufferedWriter(Path.of(Judge.text(question, "decisions")))) {
            load(authorizer, metrics, question);
            int count = 0;
            String line;
            while ((line = requests.readLine()) != null) {
                decisions.write(decide(authorizer, Judge.JSON.readTree(line), explain).toString());
                decisions.newLine();
                count++;
            }
            return Judge.JSON.createObjectNode().put("requests", count);
        }
    }

    /**
     * Decisions per second of one warm thread, over and over the {@code requests}. The other fields as above;
     * {@code seconds} to warm up for, and then to measure.
     */
    static JsonNode speed(JsonNode question) throws Exception {
        try (StandardAuthorizer authorizer = new StandardAuthorizer();
                PluginMetricsImpl metrics = new PluginMetricsImpl(new Metrics(), Map.of())) {
            load(authorizer, metrics, question);
            List<Asker> askers = new ArrayList<>();
            List<List<Action>> actions = new ArrayList<>();
            for (String line : Files.readAllLines(Path.of(Judge.text(question, "requests")))) {
                JsonNode request = Judge.JSON.readTree(line);
                askers.add(new Asker(request));
                actions.add(List.of(new Action(operation(request), resource(request), 1, false, false)));
            }
            double seconds = question.get("seconds").asDouble();
            measure(authorizer, askers, actions, seconds);
            return Judge.JSON.getNodeFactory().numberNode(measure(authorizer, askers, actions, seconds));
        }
    }

    private static double measure(
            StandardAuthorizer authorizer, List<Asker> askers, List<List<Action>> actions, double seconds) {
        long start = System.nanoTime();
        long count = 0;
        double elapsed;
        do {
            int at = (int) (count++ % askers.size());
            authorizer.authorize(askers.get(at), actions.get(at));
            elapsed = (System.nanoTime() - start) / 1e9;
        } while (elapsed < seconds);
        return count / elapsed;
    }

    private static void load(StandardAuthorizer authorizer, PluginMetricsImpl metrics, JsonNode question) throws Exception {
        Map<String, Object> config = new HashMap<>();
        config.put("node.id", "1");
        config.put(StandardAuthorizer.SUPER_USERS_CONFIG, Judge.text(question, "super_users"));
        config.put(
                StandardAuthorizer.ALLOW_EVERYONE_IF_NO_ACL_IS_FOUND_CONFIG,
                String.valueOf(question.path("allow_everyone").asBoolean()));
        authorizer.configure(config);
        // It counts every decision, and fails where there is nothing to count in.
        authorizer.withPluginMetrics(metrics);
        authorizer.loadSnapshot(bindings(Path.of(Judge.text(question, "bindings"))));
        authorizer.completeInitialLoad();
    }

    /** A cluster holds a binding once, however often it is created. */
    private static Map<Uuid, StandardAcl> bindings(Path file) throws Exception {
        Set<StandardAcl> distinct = new HashSet<>();
        for (String line : Files.readAllLines(file)) {
            distinct.add(StandardAcl.fromAclBinding(Bindings.fromJson(Judge.JSON.readTree(line))));
        }
        Map<Uuid, StandardAcl> acls = new HashMap<>();
        for (StandardAcl acl : distinct) {
            acls.put(new Uuid(1, acls.size()), acl);
        }
        return acls;
    }

    private static ObjectNode decide(StandardAuthorizer authorizer, JsonNode request, boolean explain) {
        ObjectNode decision = Judge.JSON.createObjectNode();
        try {
            Asker asker = new Asker(request);
            if (!request.has("name")) {
                ResourceType type = ResourceType.valueOf(Judge.text(request, "resource_type"));
                return decision.put(
                        "decision",
                        authorizer.authorizeByResourceType(asker, operation(request), type).name());
            }
            Question action = new Question(operation(request), resource(request));
            decision.put("decision", authorizer.authorize(asker, List.of(action)).get(0).name());
            if (explain) {
                decision.set("acl", decidingAcl(authorizer, asker, action));
            }
        } catch (Exception failure) {
            decision.put("error", failure.getClass().getSimpleName() + ": " + failure.getMessage());
        }
        return decision;
    }

    private static AclOperation operation(JsonNode request) {
        return AclOperation.valueOf(Judge.text(request, "operation"));
    }

    private static ResourcePattern resource(JsonNode request) {
        return new ResourcePattern(
                ResourceType.valueOf(Judge.text(request, "resource_type")),
                Judge.text(request, "name"),
                PatternType.LITERAL);
    }

    /**
     * The binding of the rule that goes into kafka-authorizer.log, null where none decides; Kafka keeps it to itself. Super
     * users, who need no rule, are taken for others.
     */
    private static JsonNode decidingAcl(StandardAuthorizer authorizer, Asker asker, Action action) throws Exception {
        Field field = StandardAuthorizer.class.getDeclaredField("data");
        field.setAccessible(true);
        StandardAuthorizerData data = (StandardAuthorizerData) field.get(authorizer);
        Method find = StandardAuthorizerData.class.getDeclaredMethod("findAclRule", Set.class, String.class, Action.class);
        find.setAccessible(true);
        Set<KafkaPrincipal> principals = Set.of(asker.principal(), StandardAuthorizerData.WILDCARD_KAFKA_PRINCIPAL);
        Object rule = find.invoke(data, principals, asker.clientAddress().getHostAddress(), action);
        for (Field acl : rule.getClass().getDeclaredFields()) {
            if (acl.getType() == StandardAcl.class) {
                acl.setAccessible(true);
                return Bindings.toJson(((StandardAcl) acl.get(rule)).toBinding());
            }
        }
        return NullNode.instance;
    }

    /**
     * For some resource names StandardAuthorizerData's search never ends. It asks for the resource in every round, which is
     * where it can be stopped.
     */
    private static final class Question extends Action {
        private final long deadline = System.nanoTime() + PATIENCE_NANOS;

        Question(AclOperation operation, ResourcePattern resource) {
            super(operation, resource, 1, false, false);
        }

        @Override
        public ResourcePattern resourcePattern() {
            if (System.nanoTime() - deadline > 0) {
                throw new IllegalStateException("the authorizer's search does not end");
            }
            return super.resourcePattern();
        }
    }

    private record Asker(KafkaPrincipal principal, InetAddress clientAddress) implements AuthorizableRequestContext {
        Asker(JsonNode request) throws UnknownHostException {
            this(
                    SecurityUtils.parseKafkaPrincipal(Judge.text(request, "principal")),
                    // An address, never looked up as a name.
                    InetAddress.getByName(Judge.text(request, "host")));
        }

        @Override
        public String listenerName() {
            return "TEST";
        }

        @Override
        public SecurityProtocol securityProtocol() {
            return SecurityProtocol.SASL_SSL;
        }

        @Override
        public int requestType() {
            return 0;
        }

        @Override
        public int requestVersion() {
            return 0;
        }

        @Override
        public String clientId() {
            return "test";
        }

        @Override
        public int correlationId() {
            return 0;
        }
    }

    private AuthorizerJudge() {}
}
