import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import javax.security.auth.login.AppConfigurationEntry;
import kafka.tools.StorageTool;
import org.apache.kafka.common.config.SaslConfigs;
import org.apache.kafka.common.config.types.Password;
import org.apache.kafka.common.metadata.UserScramCredentialRecord;
import org.apache.kafka.common.security.JaasContext;
import org.apache.kafka.common.security.scram.ScramCredential;
import org.apache.kafka.common.security.scram.internals.ScramCredentialUtils;
import org.apache.kafka.common.security.scram.internals.ScramMechanism;
import org.apache.kafka.common.utils.Sanitizer;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.metadata.bootstrap.BootstrapDirectory;
import org.apache.kafka.server.common.ApiMessageAndVersion;

/** How Kafka reads what kpki writes: properties, JAAS, names and the storage tool's arguments. */
final class ConfigJudge {
    /** {@code path} of a .properties file, loaded as Kafka loads all of its own. */
    static JsonNode properties(JsonNode question) throws Exception {
        Properties properties = Utils.loadProps(Judge.text(question, "path"));
        ObjectNode answer = Judge.JSON.createObjectNode();
        properties.forEach((key, value) -> answer.put((String) key, (String) value));
        return answer;
    }

    /** {@code value} of sasl.jaas.config: the login module's options. */
    static JsonNode jaas(JsonNode question) {
        Password value = new Password(Judge.text(question, "value"));
        JaasContext context = JaasContext.loadClientContext(Map.of(SaslConfigs.SASL_JAAS_CONFIG, value));
        ObjectNode answer = Judge.JSON.createObjectNode();
        for (AppConfigurationEntry entry : context.configurationEntries()) {
            entry.getOptions().forEach((key, option) -> answer.put(key, (String) option));
        }
        return answer;
    }

    /** {@code user}: its name as a ZooKeeper node and as a SCRAM message has it. */
    static JsonNode names(JsonNode question) {
        String user = Judge.text(question, "user");
        return Judge.JSON.createObjectNode()
                .put("sanitized", Sanitizer.sanitize(user));
    }

    /** {@code arguments} of the storage tool: its exit code, what it printed and the SCRAM users stored in {@code data}, if given. */
    static JsonNode storage(JsonNode question) throws Exception {
        List<String> arguments = new ArrayList<>();
        question.get("arguments").forEach(argument -> arguments.add(argument.asText()));
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        int code = StorageTool.execute(
                arguments.toArray(String[]::new), new PrintStream(printed, true, StandardCharsets.UTF_8));
        ObjectNode answer = Judge.JSON.createObjectNode();
        answer.put("code", code).put("printed", printed.toString(StandardCharsets.UTF_8));
        ArrayNode users = answer.putArray("users");
        String data = Judge.text(question, "data");
        if (code == 0 && data != null) {
            for (ApiMessageAndVersion message :
                    new BootstrapDirectory(data).read().records()) {
                if (message.message() instanceof UserScramCredentialRecord record) {
                    ScramCredential credential = new ScramCredential(
                            record.salt(), record.storedKey(), record.serverKey(), record.iterations());
                    users.addObject()
                            .put("user", record.name())
                            .put("mechanism", mechanism(record.mechanism()).mechanismName())
                            .put("stored", ScramCredentialUtils.credentialToString(credential));
                }
            }
        }
        return answer;
    }

    private static ScramMechanism mechanism(byte type) {
        return Arrays.stream(ScramMechanism.values()).filter(m -> m.type() == type).findFirst().orElseThrow();
    }

    private ConfigJudge() {}
}
