/* SPDX-License-Identifier: Apache-2.0 */
package niddgw.interop;

import java.util.ArrayList;
import java.util.List;

import org.eclipse.leshan.core.model.LwM2mModel;
import org.eclipse.leshan.core.model.ObjectLoader;
import org.eclipse.leshan.core.model.ObjectModel;
import org.eclipse.leshan.core.model.ResourceModel;
import org.eclipse.leshan.core.model.ResourceModel.Operations;
import org.eclipse.leshan.core.model.ResourceModel.Type;
import org.eclipse.leshan.core.model.StaticModel;

/** The objects both peers know: the core ones of the library, a temperature sensor, and one with a resource of each type. */
final class Models {
	static final int DEVICE = 3;
	static final int TEMPERATURE = 3303;
	/** In the range for private objects. */
	static final int SAMPLER = 32770;

	static final int OPAQUE = 0, INTEGER = 1, STRING = 2, BOOLEAN = 3, FLOAT = 4, TIME = 5, LINK = 6, MANY = 7, RUN = 8, UNSIGNED = 9;

	private static final List<ObjectModel> ALL = build();
	static final LwM2mModel MODEL = new StaticModel(ALL);

	private Models() {
	}

	static List<ObjectModel> all() {
		return ALL;
	}

	private static List<ObjectModel> build() {
		List<ObjectModel> models = new ArrayList<>(ObjectLoader.loadDefault());
		models.add(new ObjectModel(TEMPERATURE, "Temperature", "", ObjectModel.DEFAULT_VERSION, true, false,
				resource(5700, "Sensor Value", Operations.R, true, Type.FLOAT),
				resource(5701, "Sensor Units", Operations.R, false, Type.STRING),
				resource(5601, "Min Measured Value", Operations.R, false, Type.FLOAT),
				resource(5602, "Max Measured Value", Operations.R, false, Type.FLOAT),
				resource(5605, "Reset Min and Max", Operations.E, false, Type.NONE)));
		models.add(new ObjectModel(SAMPLER, "Sampler", "", ObjectModel.DEFAULT_VERSION, true, false,
				resource(OPAQUE, "Opaque", Operations.RW, false, Type.OPAQUE),
				resource(INTEGER, "Integer", Operations.RW, false, Type.INTEGER),
				resource(STRING, "String", Operations.RW, false, Type.STRING),
				resource(BOOLEAN, "Boolean", Operations.RW, false, Type.BOOLEAN),
				resource(FLOAT, "Float", Operations.RW, false, Type.FLOAT),
				resource(TIME, "Time", Operations.RW, false, Type.TIME),
				resource(LINK, "Link", Operations.RW, false, Type.OBJLNK),
				new ResourceModel(MANY, "Many", Operations.RW, true, false, Type.INTEGER, "", "", ""),
				resource(RUN, "Run", Operations.E, false, Type.NONE),
				resource(UNSIGNED, "Unsigned", Operations.RW, false, Type.UNSIGNED_INTEGER)));
		return models;
	}

	private static ResourceModel resource(int id, String name, Operations operations, boolean mandatory, Type type) {
		return new ResourceModel(id, name, operations, false, mandatory, type, "", "", "");
	}
}
