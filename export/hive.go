package export

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"textmill/export/delta"
	"textmill/export/part"
)

// layout is how a table's files are apart, and where they lie.
type layout struct {
	by   Partitioning
	flat bool // all in one folder: a partitioned table of before
}

// partitionKey is the property that says what the columns are by which a table is partitioned. One of before has none.
const partitionKey = "textmill.partition_by"

// layoutOf is an error where the table is partitioned by what textmill knows nothing of.
func layoutOf(m *delta.Metadata) (layout, error) {
	columns := strings.Join(m.PartitionColumns, ",")
	if columns == "" {
		return layout{}, nil
	}
	given, told := m.Configuration[partitionKey]
	if !told {
		given = columns
	}
	by, err := ParsePartitioning(given)
	if err == nil && !told && slices.Contains(by, byDate) {
		err = errors.New("its date is not textmill's")
	}
	if err == nil && strings.Join(by.columns(), ",") != columns {
		err = fmt.Errorf("%s is %q", partitionKey, given)
	}
	if err == nil {
		err = part.HasColumns(m.SchemaString, by.constants(nil))
	}
	return layout{by: by, flat: !told}, err
}

// folder is where files of a partition lie in the table; "" is beside its log.
func (l layout) folder(values map[string]*string) string {
	if l.flat {
		return ""
	}
	var names []string
	for _, column := range l.by.columns() {
		names = append(names, folderName(column, values[column]))
	}
	return strings.Join(names, "/")
}

// hiveNull is what Hive calls the folder of rows whose column is null.
const hiveNull = "__HIVE_DEFAULT_PARTITION__"

// longestName is how many bytes file systems take for a name.
const longestName = 255

// folderName is that of the files in which a column has a value, as Hive and delta-rs have it.
func folderName(column string, value *string) string {
	if value == nil {
		return column + "=" + hiveNull
	}
	var b strings.Builder
	b.WriteString(column + "=")
	for _, c := range []byte(*value) {
		plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_'
		if plain {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// pathOf is how the log names a file of ours.
func pathOf(name string) string { return strings.ReplaceAll(name, "%", "%25") }
