import java.io.IOException;
import java.util.Arrays;

/**
 * Runs another class's main and ends with its own standard input: a broker started by a test dies with the test, however that
 * ends. A {@code q} there has it leave in good order. Usage: {@code java WhileStdin MAIN-CLASS ARGUMENT...}
 */
public final class WhileStdin {
    public static void main(String[] args) throws Exception {
        Thread watchdog = new Thread(() -> {
            try {
                for (int read = System.in.read(); read >= 0; read = System.in.read()) {
                    if (read == 'q') {
                        // Not here: an end of the test must end this at once, even now.
                        new Thread(() -> System.exit(0)).start();
                    }
                }
            } catch (IOException closed) {
                // The end, too.
            }
            Runtime.getRuntime().halt(0);
        });
        watchdog.setDaemon(true);
        watchdog.start();
        Class.forName(args[0])
                .getMethod("main", String[].class)
                .invoke(null, (Object) Arrays.copyOfRange(args, 1, args.length));
    }

    private WhileStdin() {}
}
