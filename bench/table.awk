# SPDX-License-Identifier: MIT
#
# Reads lines "RIVAL {JSON}" of bench/workload, prints the table of medians (lowest to highest) and
# ratios. Speed of the rivals: GB/s, microseconds an operation, or thousand operations a second.
# Variables: rivals, the columns in their order.

function field(name,    at, rest) {
    at = index($0, "\"" name "\":")
    if (!at)
        return 0
    rest = substr($0, at + length(name) + 3)
    return rest + 0
}

function unit(name) {
    if (name ~ /^(fill|seq)/)
        return "GB/s"
    return name ~ /8$/ ? "kop/s" : "us/op"
}

function speed(name, ops, bytes, ns) {
    if (unit(name) == "GB/s")
        return bytes / ns
    return unit(name) == "kop/s" ? ops / ns * 1e6 : ns / ops / 1e3
}

function insert(key, value,    i) {
    for (i = count[key]++; i > 0 && values[key, i - 1] > value; i--)
        values[key, i] = values[key, i - 1]
    values[key, i] = value
}

function median(key,    n) {
    n = count[key]
    return n % 2 ? values[key, (n - 1) / 2] : (values[key, n / 2 - 1] + values[key, n / 2]) / 2
}

function short(value) {
    return sprintf(value >= 100 ? "%.0f" : value >= 10 ? "%.1f" : "%.2f", value)
}

function cell(key) {
    if (!count[key])
        return "-"
    if (count[key] == 1)
        return short(values[key, 0])
    return short(median(key)) " (" short(values[key, 0]) "-" short(values[key, count[key] - 1]) ")"
}

# How many times as fast as kernel swap.
function ratio(name, rival,    ours, theirs) {
    if (!count[rival, name] || !count["kernel", name])
        return "-"
    ours = median(rival SUBSEP name)
    theirs = median("kernel" SUBSEP name)
    return sprintf("%.2f", unit(name) == "us/op" ? theirs / ours : ours / theirs)
}

function is_uswap(rival) {
    return rival ~ /^uswap/
}

function header(    i) {
    printf "%-34s %-6s", "", "unit"
    for (i = 1; i <= columns; i++)
        printf " %20s", title[column[i]]
    for (i = 1; i <= columns; i++)
        if (is_uswap(column[i]) && "kernel" in has)
            printf " %15s", column[i] "/kernel"
    print ""
}

function row(name,    i) {
    printf "%-34s %-6s", label[name], unit(name)
    for (i = 1; i <= columns; i++)
        printf " %20s", cell(column[i] SUBSEP name)
    for (i = 1; i <= columns; i++)
        if (is_uswap(column[i]) && "kernel" in has)
            printf " %15s", ratio(name, column[i])
    print ""
}

# Latency: the 50th and the 99th percentile of one operation.
function latency_row(name,    i, key) {
    printf "%-34s %-6s", label[name], "us"
    for (i = 1; i <= columns; i++) {
        key = column[i] SUBSEP name
        printf " %20s", count["p50", key] ? short(median("p50" SUBSEP key)) " / " short(median("p99" SUBSEP key)) : "-"
    }
    print ""
}

function peak_row(    i) {
    printf "%-34s %-6s", "peak RSS", "MiB"
    for (i = 1; i <= columns; i++)
        printf " %20s", peak[column[i]] ? sprintf("%.0f", peak[column[i]] / 1048576) : "-"
    print ""
}

BEGIN {
    columns = split(rivals, column, ",")
    for (i = 1; i <= columns; i++)
        has[column[i]]
    title["uswap"] = "uswap"
    title["uswap-api"] = "uswap-api"
    title["kernel"] = "kernel swap"
    title["none"] = "no limit"
    title["device"] = "device (fio)"
    names = split("fill seqread seqwrite randread randwrite hot randread8 randwrite8", name, " ")
    label["fill"] = "fill"
    label["seqread"] = "sequential read"
    label["seqwrite"] = "sequential read and write"
    label["randread"] = "random read 4 KiB"
    label["randwrite"] = "random write 4 KiB"
    label["hot"] = "random read, 90 % to 10 % of pages"
    label["randread8"] = "random read 4 KiB, 8 threads"
    label["randwrite8"] = "random write 4 KiB, 8 threads"
}

match($0, /"case":"[a-z0-9]+"/) && field("ops") {
    what = substr($0, RSTART + 8, RLENGTH - 9)
    key = $1 SUBSEP what
    insert(key, speed(what, field("ops"), field("bytes"), field("ns")))
    if (field("p50_ns")) {
        insert("p50" SUBSEP key, field("p50_ns") / 1e3)
        insert("p99" SUBSEP key, field("p99_ns") / 1e3)
    }
    if (field("rss_peak_bytes") > peak[$1])
        peak[$1] = field("rss_peak_bytes")
}

END {
    header()
    for (i = 1; i <= names; i++)
        row(name[i])
    peak_row()
    print "\nlatency of one operation, p50 / p99"
    for (i = 4; i <= names; i++)
        latency_row(name[i])
}
