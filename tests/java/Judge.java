import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.slf4j.LoggerFactory;

/**
 * Answers questions about kpki's output with the implementations that users have: the JDK's key stores and TLS, and Kafka's
 * own classes. One process for a whole test run, because a JVM takes seconds to start.
 *
 * <p>One JSON object per line on standard input, {@code {"id":1,"command":"principal",...}}; one per line on standard output,
 * {@code {"id":1,"ok":...}} or {@code {"id":1,"error":{"class":...,"message":...,"causes":[...]}}}, in the order in which they
 * are done. It ends with its standard input, so it cannot outlive the tests.
 */
public final class Judge {
    static final ObjectMapper JSON = new ObjectMapper();

    /** One question; the answer is what {@code ok} holds. */
    interface Command {
        JsonNode answer(JsonNode question) throws Exception;
    }

    private static final Map<String, Command> COMMANDS = Map.ofEntries(
            Map.entry("keystore", KeystoreJudge::entries),
            Map.entry("crl-check", CrlJudge::check),
            Map.entry("handshake", HandshakeJudge::handshake),
            Map.entry("scram", NameJudge::scram),
            Map.entry("principal", NameJudge::principal),
            Map.entry("x500-name", NameJudge::x500Name),
            Map.entry("properties", ConfigJudge::properties),
            Map.entry("jaas", ConfigJudge::jaas),
            Map.entry("names", ConfigJudge::names),
            Map.entry("storage", ConfigJudge::storage),
            Map.entry("authorize", AuthorizerJudge::authorize),
            Map.entry("authorizer-speed", AuthorizerJudge::speed),
            Map.entry("produce", ClientJudge::produce),
            Map.entry("consume", ClientJudge::consume),
            Map.entry("create-topic", AdminJudge::createTopic),
            Map.entry("delete-acls", AdminJudge::deleteAcls),
            Map.entry("describe-cluster", AdminJudge::describeCluster),
            Map.entry("create-acls", AdminJudge::createAcls),
            Map.entry("acl-command", AclCommandJudge::run),
            Map.entry("list-acls", AdminJudge::listAcls),
            Map.entry("list-scram", AdminJudge::listScram),
            Map.entry("alter-config", RolesJudge::alterConfig),
            Map.entry("add-partition", RolesJudge::addPartition),
            Map.entry("topic", RolesJudge::topic),
            Map.entry("transfer", RolesJudge::transfer),
            Map.entry("read", RolesJudge::read),
            Map.entry("administer", RolesJudge::administer),
            Map.entry("monitor", RolesJudge::monitor),
            Map.entry("quorum", ClusterJudge::quorum),
            Map.entry("node-settings", ClusterJudge::nodeSettings),
            Map.entry("settled", ClusterJudge::settled),
            Map.entry("move", ClusterJudge::move),
            Map.entry("unregister", ClusterJudge::unregister),
            Map.entry("load-start", LoadJudge::start),
            Map.entry("load-progress", LoadJudge::progress),
            Map.entry("load-stop", LoadJudge::stop),
            Map.entry("streams", StreamsJudge::count));

    public static void main(String[] args) throws Exception {
        PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        // Whatever a library prints must not end up between the answers.
        System.setOut(System.err);
        // SLF4J complains when several threads are its first.
        LoggerFactory.getLogger(Judge.class);
        BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        // A refusal can take seconds; tests that run side by side do not wait for each other's.
        ExecutorService workers = Executors.newCachedThreadPool();
        String line;
        while ((line = questions.readLine()) != null) {
            JsonNode question = JSON.readTree(line);
            if (question.path("command").asText().equals("quit")) {
                break;
            }
            workers.execute(() -> {
                String answer = reply(question).toString();
                synchronized (answers) {
                    answers.println(answer);
                }
            });
        }
        Runtime.getRuntime().halt(0);
    }

    private static ObjectNode reply(JsonNode question) {
        ObjectNode reply = JSON.createObjectNode();
        reply.set("id", question.get("id"));
        try {
            String name = question.path("command").asText();
            Command command = COMMANDS.get(name);
            if (command == null) {
                throw new IllegalArgumentException("no such command: " + name);
            }
            reply.set("ok", command.answer(question));
        } catch (Throwable thrown) {
            reply.set("error", error(thrown));
        }
        return reply;
    }

    /** The exception that says what happened (not the future that carried it), and what lies beneath it. */
    private static ObjectNode error(Throwable thrown) {
        while ((thrown instanceof ExecutionException || thrown instanceof CompletionException) && thrown.getCause() != null) {
            thrown = thrown.getCause();
        }
        ObjectNode error = JSON.createObjectNode();
        error.put("class", thrown.getClass().getSimpleName());
        error.put("message", String.valueOf(thrown.getMessage()));
        ArrayNode causes = error.putArray("causes");
        for (Throwable cause = thrown.getCause(); cause != null; cause = cause.getCause()) {
            causes.add(cause.getClass().getSimpleName() + ": " + cause.getMessage());
        }
        return error;
    }

    /** A string of the question; null where it is absent or null. */
    static String text(JsonNode question, String field) {
        JsonNode value = question.get(field);
        return value == null || value.isNull() ? null : value.asText();
    }

    private Judge() {}
}
