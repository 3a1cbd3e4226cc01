import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;

/** ACL bindings in the JSON that kpki speaks, with Kafka's enum names. */
final class Bindings {
    static AclBinding fromJson(JsonNode json) {
        return new AclBinding(
                new ResourcePattern(
                        ResourceType.valueOf(Judge.text(json, "resource_type")),
                        Judge.text(json, "name"),
                        PatternType.valueOf(Judge.text(json, "pattern_type"))),
                new AccessControlEntry(
                        Judge.text(json, "principal"),
                        Judge.text(json, "host"),
                        AclOperation.valueOf(Judge.text(json, "operation")),
                        AclPermissionType.valueOf(Judge.text(json, "permission"))));
    }

    static ObjectNode toJson(AclBinding binding) {
        return Judge.JSON.createObjectNode()
                .put("resource_type", binding.pattern().resourceType().name())
                .put("pattern_type", binding.pattern().patternType().name())
                .put("name", binding.pattern().name())
                .put("principal", binding.entry().principal())
                .put("host", binding.entry().host())
                .put("operation", binding.entry().operation().name())
                .put("permission", binding.entry().permissionType().name());
    }

    private Bindings() {}
}
