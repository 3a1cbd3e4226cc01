import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.utils.Utils;

/** Kafka's own producer and consumer, with a client's properties as kpki wrote them. */
final class ClientJudge {
    /** Nothing but patience is taken from the client: a refusal must not take the minutes that clients wait by default. */
    static Properties properties(JsonNode question) throws IOException {
        Properties properties = Utils.loadProps(Judge.text(question, "properties"));
        properties.put("default.api.timeout.ms", "10000");
        properties.put("request.timeout.ms", "9000");
        properties.put("delivery.timeout.ms", "10000");
        properties.put("max.block.ms", "10000");
        question.path("overrides").properties().forEach(entry -> properties.put(entry.getKey(), entry.getValue().asText()));
        return properties;
    }

    /**
     * {@code properties} (a file), {@code overrides}, {@code topic}, {@code count}: writes the values {@code 0}, {@code 1}, … and
     * waits until the broker has them; in one transaction where the properties name a transactional.id.
     */
    static JsonNode produce(JsonNode question) throws Exception {
        Properties properties = properties(question);
        boolean transactional = properties.containsKey("transactional.id");
        StringSerializer strings = new StringSerializer();
        KafkaProducer<String, String> producer = new KafkaProducer<>(properties, strings, strings);
        try {
            if (transactional) {
                producer.initTransactions();
                producer.beginTransaction();
            }
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int i = 0; i < question.get("count").asInt(); i++) {
                sent.add(producer.send(new ProducerRecord<>(Judge.text(question, "topic"), String.valueOf(i))));
            }
            for (Future<RecordMetadata> record : sent) {
                record.get();
            }
            if (transactional) {
                producer.commitTransaction();
            }
            return Judge.JSON.createObjectNode().put("records", sent.size());
        } finally {
            producer.close(Duration.ZERO);
        }
    }

    /**
     * {@code properties} (a file), {@code overrides}, {@code topic}, {@code group}, {@code count}, {@code timeout_ms}: the values
     * of that many records from the topic's beginning; a TimeoutException where there are fewer.
     */
    static JsonNode consume(JsonNode question) throws Exception {
        Properties properties = properties(question);
        properties.put("group.id", Judge.text(question, "group"));
        properties.put("auto.offset.reset", "earliest");
        int count = question.get("count").asInt();
        long deadline = System.nanoTime() + Duration.ofMillis(question.get("timeout_ms").asLong()).toNanos();
        StringDeserializer strings = new StringDeserializer();
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(properties, strings, strings)) {
            consumer.subscribe(List.of(Judge.text(question, "topic")));
            ArrayNode values = Judge.JSON.createArrayNode();
            while (values.size() < count) {
                if (System.nanoTime() - deadline > 0) {
                    throw new TimeoutException(values.size() + " of " + count + " records arrived");
                }
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100))) {
                    values.add(record.value());
                }
            }
            consumer.commitSync();
            return values;
        }
    }

    private ClientJudge() {}
}
