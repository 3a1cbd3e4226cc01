import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.utils.Exit;
import org.apache.kafka.tools.AclCommand;

/** Kafka's own {@code kafka-acls.sh}, without a JVM for each command. */
final class AclCommandJudge {
    /** {@code commands}: an array of arrays of arguments. The first that fails ends it. */
    static JsonNode run(JsonNode question) {
        // The tool ends its process where something is wrong.
        Exit.setExitProcedure((status, message) -> {
            throw new IllegalStateException("exit " + status + ": " + message);
        });
        for (JsonNode command : question.get("commands")) {
            List<String> arguments = new ArrayList<>();
            command.forEach(argument -> arguments.add(argument.asText()));
            AclCommand.main(arguments.toArray(new String[0]));
        }
        return Judge.JSON.createObjectNode();
    }

    private AclCommandJudge() {}
}
