import java.io.IOException;
import java.util.Arrays;

/**
 * Runs another class's main and ends with its own standard input: a broker started by a test dies with the test, however that
 * ends. Usage: {@code java WhileStdin MAIN-CLASS ARGUMENT...}
 */
public final class WhileStdin {
    public static void main(String[] args) throws Exception {
        Thread watchdog = new Thread(() -> {
            try {
                while (System.in.read() >= 0) {
                    // Only the end matters.
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
