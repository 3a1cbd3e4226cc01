import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TopicAuthorizationException;
import org.apache.kafka.common.serialization.IntegerDeserializer;
import org.apache.kafka.common.serialization.IntegerSerializer;

/** A producer that never stops, and a consumer that counts: what a cluster has to bear while it is changed. */
final class LoadJudge {
    private static final Map<String, LoadJudge> RUNNING = new ConcurrentHashMap<>();
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private final String topic;
    private final KafkaProducer<Integer, Integer> producer;
    private final KafkaConsumer<Integer, Integer> consumer;
    private final Set<Integer> acknowledged = ConcurrentHashMap.newKeySet();
    private final Queue<String> failures = new ConcurrentLinkedQueue<>();
    /** How often each number was read; of the consumer's thread alone, until that has ended. */
    private final Map<Integer, Integer> read = new HashMap<>();
    /** The last number of each partition. */
    private final Map<Integer, Integer> last = new HashMap<>();
    private final Queue<Integer> disordered = new ConcurrentLinkedQueue<>();

    private final Thread writer = new Thread(this::write, "load-writer");
    private final Thread reader = new Thread(this::read, "load-reader");
    private volatile boolean writing = true;
    private volatile boolean reading = true;
    private int next;

    private LoadJudge(Properties properties, String topic) {
        this.topic = topic;
        // A client of production waits out the restart of a broker.
        properties.put("delivery.timeout.ms", "120000");
        properties.put("acks", "all");
        properties.put("enable.idempotence", "true");
        IntegerSerializer serializer = new IntegerSerializer();
        IntegerDeserializer deserializer = new IntegerDeserializer();
        producer = new KafkaProducer<>(properties, serializer, serializer);
        consumer = new KafkaConsumer<>(properties, deserializer, deserializer);
    }

    /**
     * {@code properties}, {@code topic}: writes 0, 1, … with acks=all, and reads them, until {@link #stop}. Begins once
     * the client may, as a broker hears of new ACLs a moment after the controller has confirmed them.
     */
    static JsonNode start(JsonNode question) throws Exception {
        String topic = Judge.text(question, "topic");
        LoadJudge load = new LoadJudge(ClientJudge.properties(question), topic);
        ClusterJudge.until("every leader of " + topic + " to have heard of the ACLs", load::allowed);
        RUNNING.put(topic, load);
        load.writer.start();
        load.reader.start();
        return Judge.JSON.createObjectNode();
    }

    /** {@code topic}: how many records were acknowledged so far. */
    static JsonNode progress(JsonNode question) {
        LoadJudge load = RUNNING.get(Judge.text(question, "topic"));
        return Judge.JSON.createObjectNode().put("acknowledged", load.acknowledged.size());
    }

    /** {@code topic}: what was sent and acknowledged, and which of that was lost, read more than once, or too late. */
    static JsonNode stop(JsonNode question) throws Exception {
        LoadJudge load = RUNNING.remove(Judge.text(question, "topic"));
        load.writing = false;
        load.writer.join();
        load.producer.close();
        load.reading = false;
        load.reader.join();
        ObjectNode answer = Judge.JSON.createObjectNode();
        answer.put("sent", load.next).put("acknowledged", load.acknowledged.size());
        ArrayNode failed = answer.putArray("failed");
        load.failures.forEach(failed::add);
        ArrayNode lost = answer.putArray("lost");
        load.acknowledged.stream().filter(number -> !load.read.containsKey(number)).sorted().forEach(lost::add);
        ArrayNode repeated = answer.putArray("repeated");
        load.read.forEach((number, times) -> {
            if (times != 1) {
                repeated.add(number);
            }
        });
        ArrayNode disordered = answer.putArray("disordered");
        load.disordered.forEach(disordered::add);
        return answer;
    }

    /** Each leader answers for its partitions. The ACLs of one request take effect at a broker together. */
    private boolean allowed() {
        try {
            consumer.endOffsets(partitions());
            return true;
        } catch (TopicAuthorizationException early) {
            return false;
        }
    }

    private List<TopicPartition> partitions() {
        return consumer.partitionsFor(topic).stream()
                .map(partition -> new TopicPartition(topic, partition.partition()))
                .toList();
    }

    private void write() {
        try {
            for (; writing; next++) {
                int number = next;
                producer.send(new ProducerRecord<>(topic, number, number), (metadata, error) -> {
                    if (error == null) {
                        acknowledged.add(number);
                    } else {
                        failures.add(number + ": " + error);
                    }
                });
                Thread.sleep(10);
            }
        } catch (Exception thrown) {
            failures.add("the producer: " + thrown);
        }
    }

    /** Of no group: nothing is committed, and nothing read twice because a commit was lost. */
    private void read() {
        try (consumer) {
            consumer.assign(partitions());
            consumer.seekToBeginning(List.of());
            long deadline = 0;
            // Once the producer has ended, until all that it was promised is read.
            while (reading || read.keySet().size() < acknowledged.size() && System.nanoTime() - deadline < 0) {
                if (reading) {
                    deadline = System.nanoTime() + PATIENCE.toNanos();
                }
                for (ConsumerRecord<Integer, Integer> record : consumer.poll(Duration.ofMillis(100))) {
                    read.merge(record.value(), 1, Integer::sum);
                    Integer before = last.put(record.partition(), record.value());
                    if (before != null && before >= record.value()) {
                        disordered.add(record.value());
                    }
                }
            }
        } catch (Exception thrown) {
            failures.add("the consumer: " + thrown);
        }
    }
}
