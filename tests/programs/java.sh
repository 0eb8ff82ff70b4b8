#!/bin/bash
# SPDX-License-Identifier: MIT
# openjdk compiles and runs a program with threads, a heap of objects, and direct buffers, which come from malloc.
. "$(dirname "$0")/lib.sh"
need java javac
mkdir "$work/src"
cat >"$work/src/Program.java" <<'JAVA'
import java.nio.ByteBuffer;
import java.util.*;
import java.util.concurrent.*;
import java.util.zip.CRC32;

public class Program {
    static long work(int seed, int objects, int megabytes) {
        Map<String, int[]> map = new HashMap<>();
        List<ByteBuffer> buffers = new ArrayList<>();
        CRC32 crc = new CRC32();
        for (int i = 0; i < objects; i++)
            map.put("key " + (long) i * 7919 % 1000003, new int[] {i, seed, i + seed});
        for (int m = 0; m < megabytes; m++) {
            ByteBuffer b = ByteBuffer.allocateDirect(1 << 20);
            for (int k = 0; k < b.capacity(); k += 64)
                b.putInt(k, k * seed + m);
            buffers.add(b);
        }
        for (String key : new TreeSet<>(map.keySet()))
            crc.update((key + map.get(key)[2]).getBytes());
        for (int m = 0; m < megabytes; m++)
            crc.update(buffers.get((int) ((long) m * 7 % megabytes)).duplicate());
        return crc.getValue();
    }

    public static void main(String[] args) throws Exception {
        int objects = Integer.parseInt(args[0]), megabytes = Integer.parseInt(args[1]);
        ExecutorService pool = Executors.newFixedThreadPool(2);
        List<Future<Long>> results = new ArrayList<>();
        for (int seed = 1; seed <= 3; seed++) {
            int s = seed;
            results.add(pool.submit(() -> work(s, objects, megabytes)));
        }
        for (Future<Long> r : results)
            System.out.println(r.get());
        pool.shutdown();
        try {
            Object[] deep = null;
            for (;;)
                deep = new Object[] {deep, new long[1 << 22]};
        } catch (OutOfMemoryError e) {
            System.out.println("out of memory was caught");
        }
        try {
            System.out.println(((String) (args.length > 5 ? "" : null)).length());
        } catch (NullPointerException e) { // by SIGSEGV, after it was compiled
            System.out.println("a null pointer was caught");
        }
    }
}
JAVA
set_budget 160000
swapped javac -d "$work" "$work/src/Program.java"
expect 'javac under uswap' [ $code -eq 0 ]
# What a collector moves is memory of mmap().
collectors=(G1)
if $maps_are_swapped; then collectors=(Serial G1); fi
for collector in "${collectors[@]}"; do
    same_at_quarter java -cp "$work" "-XX:+Use${collector}GC" -Xmx200m -XX:MaxDirectMemorySize=2g Program \
        "$(pick 60000 500000)" "$(pick 61 251)"
done
finish
